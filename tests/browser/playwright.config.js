// Playwright's own test runner: its assertions wait until the page shows what is expected, what a test has made is taken
// back however it ends, and a failure leaves a picture and a trace of the page.
import { execFileSync } from 'node:child_process';

import { defineConfig } from '@playwright/test';

/** The system's browser: that of $CHROMIUM, or the first of these that runs. */
function chromium() {
  const names = process.env.CHROMIUM?.split(' ') ?? ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
  for (const name of names) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' });
      return execFileSync('which', [name], { encoding: 'utf8' }).trim();
    } catch {
      // Not this one.
    }
  }
  throw new Error(`there is no Chromium: ${names.join(', ')}`);
}

export default defineConfig({
  testMatch: '*.test.js',
  // They write to docs/.
  testIgnore: process.env.UPDATE_PICTURES ? [] : 'pictures.test.js',
  outputDir: '../../target/browser/results',
  // One server and one kernel at a time: small machines run this too.
  workers: 1,
  forbidOnly: true,
  // A page that is slow once is no fault of ours; what passes only the second time is listed as flaky.
  retries: 1,
  reporter: 'list',
  // What is waited for comes in seconds; only what never comes takes so long.
  timeout: 120_000,
  expect: { timeout: 20_000 },
  use: {
    viewport: { width: 1280, height: 900 },
    actionTimeout: 30_000,
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: chromium(),
      // Containers run as root and have little shared memory.
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--font-render-hinting=none'],
    },
  },
});
