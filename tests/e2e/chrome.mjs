// Chromium for the scripts that look at pages: one profile of its own, pages that report their faults, and what they show.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { until } from './support.mjs';

const AXE = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
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

/** What axe-core finds in a page, light and dark, on a desk and on a phone, and whether it is as wide as that. */
export async function findings(page, target) {
  const found = [];
  await page.evaluate(AXE);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [width, height] of [[1280, 860], [390, 844]]) {
      await page.setViewportSize({ width, height });
      const { violations, h1, passes, wide } = await page.evaluate(async () => {
        const result = await globalThis.axe.run();
        return {
          violations: result.violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 120)}`),
          passes: result.passes.length,
          h1: document.querySelectorAll('h1').length,
          wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        };
      });
      if (passes < 10) found.push(`${target}: axe passed only ${passes} rules`);
      if (wide > 0) found.push(`${target} ${width}: ${wide} pixels too wide`);
      found.push(...violations.map((text) => `${target} ${colorScheme} ${width}: ${text}`), ...(h1 === 1 ? [] : [`${target}: ${h1} h1`]));
    }
  }
  return found;
}
