// What the page offers while one types: completion, signatures, help.
import { expect, test } from './test.js';

test('tab completes names and attributes, with what they are', async ({ open, page }) => {
  const notebook = await open('let weights = torch.ones([2, 3]);\nlet model = nn.Linear(3, 2);', '');
  await notebook.cell(0).run();
  const cell = notebook.cell(1);
  const completer = page.locator('.jp-Completer');

  await cell.type('weights.cumsu');
  await page.keyboard.press('Tab');
  await expect(completer.locator('.jp-Completer-match')).toHaveText(['cumsum', 'cumsum_']);
  await expect(completer.locator('.jp-Completer-typeExtended')).toHaveText(['method', 'method']);
  await page.keyboard.press('Enter');
  await expect(completer).toBeHidden();
  await expect(cell.editor).toHaveText('weights.cumsum');

  // What is typed behind the dot narrows the list; the only candidate is inserted at once.
  await cell.type(' + model.');
  await page.keyboard.press('Tab');
  await expect(completer.locator('.jp-Completer-match').getByText('weight', { exact: true })).toBeVisible();
  await page.keyboard.type('bia');
  await expect(completer.locator('.jp-Completer-match')).toHaveText(['bias']);
  await page.keyboard.press('Tab');
  await expect(cell.editor).toHaveText('weights.cumsum + model.bias');

  // Names of arguments behind an open bracket.
  await cell.fill('weights.cumsum(d');
  await page.keyboard.press('Tab');
  await expect(completer.locator('.jp-Completer-item').filter({ hasText: 'dim:' }).first()).toContainText('argument');
  await page.keyboard.press('Escape');

  // Behind characters that are two units of UTF-16.
  await cell.fill('"🔥🔥"; weights.cumsu');
  await page.keyboard.press('Tab');
  await completer.locator('.jp-Completer-item').first().click();
  await expect(cell.editor).toHaveText('"🔥🔥"; weights.cumsum');
});

test('tab completes in cells of Python', async ({ open, page }) => {
  const notebook = await open('%%python\nimport torch\nvalues = torch.ones(3)', '');
  await notebook.cell(0).run();
  const cell = notebook.cell(1);
  await cell.fill('%%python\nvalues.cumsu');
  await page.keyboard.press('Tab');
  await expect(page.locator('.jp-Completer-match')).toHaveText(['cumsum', 'cumsum_']);
  await page.keyboard.press('Enter');
  await expect(cell.editor.locator('.cm-line').last()).toHaveText('values.cumsum');
});

test('shift-tab shows the signature of the call around the cursor', async ({ open, page }) => {
  const notebook = await open('');
  const cell = notebook.cell(0);
  const tooltip = page.locator('.jp-Tooltip');
  const calls = [
    ['F.cross_entropy(', 'cross_entropy(Tensor input, Tensor target'],
    ['nn.Linear(3', 'nn.Linear(int in_features, int out_features'],
    ['torch.cumsum(x, dim: 0', 'cumsum(Tensor self, int dim'],
    ['torch.zeros', 'zeros(int[] size'],
  ];
  for (const [typed, signature] of calls) {
    await cell.fill(typed);
    await page.keyboard.press('Shift+Tab');
    await expect(tooltip).toContainText(signature);
    await page.keyboard.press('Escape');
    await expect(tooltip).toBeHidden();
  }
});

test('a question mark opens the help below the notebook', async ({ open, page }) => {
  const notebook = await open('nn.Linear?');
  await notebook.cell(0).run();
  await expect(notebook.panel.getByText('y = x Aᵀ + b over the last dimension')).toBeVisible();
});
