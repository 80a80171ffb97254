// Colours and places of what is shown, in the light and in the dark theme.
import { expect, test } from './test.js';

const CELL = [
  '// a comment',
  'let rate = 0.5;',
  'let bar = progress(0..500, desc: "a text", log_y: true);',
  'for (value, i) in [1, 2] { print(`${i}: ${value}`); }',
  'let settings = #{name: "a<b>", rate: rate};',
].join('\n');

/** The colours in which the page shows a word of a cell's text. */
async function colours(cell, words) {
  return cell.editor.evaluate((editor, words) => words.map(word => {
    const walker = document.createTreeWalker(editor, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (walker.currentNode.data.includes(word)) return getComputedStyle(walker.currentNode.parentElement).color;
    }
    return `${word} is not there`;
  }), words);
}

test('a script has the colours of a language', async ({ open }) => {
  const notebook = await open(CELL);
  const cell = notebook.cell(0);
  await expect(cell.editor.locator('span').first()).toBeVisible();
  const words = ['progress', 'a comment', 'let', 'a text', 'a<b>', '0.5', 'true', 'log_y'];
  const [plain, comment, keyword, text, inMap, number, truth, behind] = await colours(cell, words);
  expect(text, 'texts are alike, wherever they stand').toBe(inMap);
  expect(new Set([comment, keyword, text, number]).size, `${[comment, keyword, text, number]}`).toBeGreaterThan(2);
  for (const colour of [comment, keyword, text, number, truth]) {
    expect(colour).toMatch(/^rgb/);
  }
  expect(plain).not.toBe(text);
  expect(behind, 'a text ends where it ends').toBe(plain);
});

for (const theme of ['JupyterLab Light', 'JupyterLab Dark']) {
  test(`what is shown can be read in ${theme}`, async ({ open, lab }) => {
    lab.set('apputils-extension/themes', { theme });
    const notebook = await open(
      'torch.arange(6.0).reshape([2, 3])',
      '[#{name: "first", loss: 1.0 / 3.0}, #{name: "second", loss: 12.5}]',
      'nn.Sequential(nn.Linear(2, 3), nn.ReLU())',
      'for step in progress(0..20, desc: "script") { }',
    );
    await expect(notebook.page.locator('body')).toHaveAttribute('data-jp-theme-name', theme);
    for (let i = 0; i < 4; i++) await notebook.cell(i).run();

    // Preformatted text stands where other output does, and no text has the colour of the page.
    const [tensor, table] = [0, 1].map(i => notebook.cell(i).shown('text/html'));
    const left = async element => (await element.boundingBox()).x;
    expect(await left(tensor.locator('pre'))).toBe(await left(tensor.locator('table')));
    await expect(table.locator('td')).toHaveText(['0.333333', 'first', '12.5', 'second']);
    await expect(table.locator('td').nth(0)).toHaveCSS('text-align', 'right');
    await expect(table.locator('td').nth(1)).toHaveCSS('text-align', 'left');
    const page = await notebook.panel.locator('.jp-Notebook').evaluate(e => getComputedStyle(e).backgroundColor);
    for (const selector of ['pre', 'td', 'th', 'code', 'summary', 'p', 'span']) {
      const found = notebook.panel.locator(`.jp-OutputArea-output[data-mime-type="text/html"] ${selector}`);
      for (const element of await found.all()) {
        const brightness = await element.evaluate((e, page) => {
          const value = text => text.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765;
          return [value(getComputedStyle(e).color), value(page)];
        }, page);
        expect(Math.abs(brightness[0] - brightness[1]), `${selector}: ${brightness}`).toBeGreaterThan(0.4);
      }
    }
  });
}
