// The notebook that newcomers open first, from its menu to its last picture.
import { expect, test } from './test.js';

test('the quickstart runs as a whole and shows what it promises', async ({ notebook }) => {
  await notebook.open('quickstart.ipynb');
  await notebook.choose('Edit', 'Clear Outputs of All Cells');
  await expect(notebook.panel.locator('.jp-OutputArea-output')).toHaveCount(0);
  await notebook.runAll();

  const count = await notebook.codeCells.count();
  for (let i = 0; i < count; i++) {
    await expect(notebook.cell(i).number).toHaveText(`[${i + 1}]:`);
  }
  await notebook.idle();
  // One cell fails, on purpose.
  const errors = notebook.panel.locator('[data-mime-type="application/vnd.jupyter.stderr"]');
  await expect(errors).toHaveCount(1);
  await expect(errors).toContainText('ShapeError: mat1 and mat2 shapes cannot be multiplied (4x2 and 1x32)');
  const cell = async text => notebook.cell(await notebook.placeOf(text));

  const tensor = (await cell('torch.manual_seed(0)')).shown('text/html');
  await expect(tensor.locator('pre')).toHaveText('tensor([[0.0000, 0.5000, 1.0000],\n        [1.5000, 2.0000, 2.5000]])');
  await expect(tensor.locator('th')).toHaveText(['shape', 'dtype', 'device', 'min', 'mean', 'max']);
  await expect(tensor.locator('td')).toHaveText(['[2, 3]', 'float32', 'cpu', '0', '1.25', '2.5']);
  await expect(tensor.locator('table')).toBeVisible();
  const strip = await tensor.locator('div[style*="linear-gradient"]').boundingBox();
  expect(strip).toMatchObject({ width: 36, height: 12 });

  await expect((await cell('print(x.sum(')).shown('application/vnd.jupyter.stdout')).toContainText('tensor([1.5000, 2.0000])');
  await expect((await cell('fn describe(t)')).outputs.last()).toHaveText('6 floats');

  const model = (await cell('let model = nn.Sequential(')).shown('text/html');
  await expect(model.getByText('1,153 parameters, 4.6 kB')).toBeVisible();
  await model.locator('summary').first().click();
  await expect(model.getByText('Tanh()').first()).toBeHidden();

  for (const text of ['plot.line(losses', 'plot.scatter(']) {
    const picture = (await cell(text)).shown('image/svg+xml').locator('img');
    await expect(picture).toBeVisible();
    const size = await picture.evaluate(image => [image.naturalWidth, image.naturalHeight]);
    expect(Math.min(...size), `${text}: ${size}`).toBeGreaterThan(100);
  }

  const shown = await cell('display([#{layer:');
  await expect(shown.shown('text/html').locator('td')).toHaveText(['hidden', '32', 'output', '1']);
  await expect(shown.shown('text/markdown').locator('strong')).toHaveText('1153');
  // MathJax has drawn the formula.
  await expect(shown.shown('text/latex').locator('mjx-container')).toBeVisible();
});
