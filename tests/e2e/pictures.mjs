// README's pictures: a screenshot of the console, and a short animation of a phone that drives the robot of another window.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { shows } from './chrome.mjs';
import { equal, post, until } from './support.mjs';

const LARGEST = 300 * 1024; // bytes of a picture
const STEP = 420; // milliseconds of a frame
const HEIGHT = 560;

/** What the phone does, one press a frame. */
const PRESSES = ['ArrowRight', 'ArrowRight', 'lamp', 'ArrowDown', 'ArrowRight', '', 'ArrowUp', 'ArrowUp', 'ArrowLeft', 'ArrowLeft', 'lamp', 'ArrowLeft', 'ArrowDown', ''];

export async function takePictures({ openDemo, url, directory }) {
  await takeConsole(await openDemo('console'), url, path.join(directory, 'console.png'));
  await takeRemote(await openDemo('remote'), await openDemo('remote'), path.join(directory, 'remote.webp'));
}

async function takeConsole(page, url, target) {
  await page.setViewportSize({ width: 1360, height: 800 });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await until(() => page.$$eval('#live .spark-line', (lines) => lines.length === 4 && lines.every((line) => line.getAttribute('d')?.split('L').length > 14)), 'some ticks');
  await post(url, 'news', { text: 'hello' });
  await post(url, 'news', { 问候: '你好' });
  await shows(page, '.log .in .preview', '你好');
  await page.screenshot({ path: target });
  isSmall(target);
  await page.close();
}

/** Two pages side by side, photographed after each press on the phone. */
async function takeRemote(phone, desk, target) {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidings-frames-'));
  const frames = [];
  for (const page of [phone, desk]) await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await phone.setViewportSize({ width: 360, height: HEIGHT });
  await desk.setViewportSize({ width: 500, height: HEIGHT });
  for (const page of [phone, desk]) await page.evaluate(() => document.querySelector('#tab-remote').blur());
  for (const press of ['', ...PRESSES]) {
    if (press) await phone.click(press === 'lamp' ? '.lamp' : `.key.${press}`);
    await until(async () => (await where(phone)) === (await where(desk)), 'the same robot on both pages');
    const shots = [];
    for (const [name, page, element] of [['phone', phone, '.phone'], ['desk', desk, '.floor']]) {
      shots.push(path.join(folder, `${name}-${frames.length}.png`));
      await page.locator(element).screenshot({ path: shots.at(-1) });
    }
    frames.push(path.join(folder, `frame-${frames.length}.png`));
    execFileSync('convert', ['-background', '#f6f6f2', ...shots, '-gravity', 'center', '-resize', 'x440', '-bordercolor', '#f6f6f2', '-border', '14x14', '+append', '+repage', frames.at(-1)]);
  }
  execFileSync('img2webp', ['-loop', '0', '-d', String(STEP), '-lossy', '-q', '80', '-m', '6', ...frames, '-o', target]);
  isSmall(target);
  rmSync(folder, { recursive: true, force: true });
  await Promise.all([phone.close(), desk.close()]);
}

function where(page) {
  return page.$eval('.floor', ({ dataset }) => `${dataset.at} ${dataset.lamp}`);
}

function isSmall(target) {
  equal(statSync(target).size < LARGEST, true, `${target} has ${statSync(target).size} bytes, fewer than ${LARGEST}`);
}
