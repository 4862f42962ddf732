// Chromium for the scripts that look at pages: one profile of its own, pages that report their faults, and what they show.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { until } from './support.mjs';

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP evil.test 127.0.0.1'];

/** Starts the browser. `faults` gathers what went wrong in watched pages. */
export async function startChromium(options = {}) {
  const profile = mkdtempSync(path.join(tmpdir(), 'tidings-e2e-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS, viewport: { width: 1280, height: 860 }, ...options,
  });
  const faults = [];
  const open = async (url, watched = true) => {
    const page = await context.newPage();
    if (watched) {
      page.on('pageerror', (error) => faults.push(`${url}: ${error.message}`));
      page.on('console', (message) => {
        if (message.type() === 'error' && /Content Security Policy|SyntaxError|TypeError|ReferenceError/.test(message.text())) faults.push(`${url}: ${message.text()}`);
      });
    }
    await page.goto(url);
    return page;
  };
  return {
    context,
    faults,
    open,
    /** A tab of the console, connected. */
    async openDemo(base, name) {
      const page = await open(`${base}/#${name}`);
      await isOpen(page);
      return page;
    },
    async end() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Waits until the pill of a page says that it is connected. */
export function isOpen(page) {
  return until(() => page.evaluate(() => document.getElementById('status').dataset.state === 'open'), `the connection of ${page.url()}`);
}

export function texts(page, selector) {
  return page.$$eval(selector, (found) => found.map((each) => each.textContent));
}

export function shows(page, selector, text) {
  return until(async () => (await texts(page, selector)).some((each) => each.includes(text)), `${selector} with ${text}`);
}
