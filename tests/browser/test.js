// What every test has: one server for all, and a notebook in a page and a kernel of its own.
import { test as base } from '@playwright/test';

import { Lab } from './lab.js';
import { Notebook } from './notebook.js';

export const test = base.extend({
  lab: [
    async ({}, use) => {
      const lab = await Lab.start();
      await use(lab);
      await lab.stop();
    },
    { scope: 'worker', timeout: 180_000 },
  ],

  notebook: async ({ page, lab }, use) => {
    await use(new Notebook(page, lab));
    await lab.endSessions();
    lab.resetSettings();
  },

  /** Opens a new notebook with these code cells. */
  open: async ({ notebook, lab }, use, info) => {
    await use(async (...cells) => {
      await notebook.open(lab.write(`test-${info.testId}.ipynb`, cells));
      return notebook;
    });
  },
});

export { expect } from '@playwright/test';
