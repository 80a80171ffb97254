// What moves: sliders of ipywidgets, progress bars of Python and of scripts, figures.
import { expect, test } from './test.js';

test('a slider that is moved calls back', async ({ open, page }) => {
  const notebook = await open(
    [
      '%%python',
      'import ipywidgets as widgets',
      'slider = widgets.IntSlider(value=3, min=0, max=10, description="width")',
      'label = widgets.Label("not moved")',
      'def moved(change):',
      '    label.value = f"from {change.old} to {change.new}"',
      'slider.observe(moved, names="value")',
      'widgets.VBox([slider, label])',
    ].join('\n'),
    '%%python\nslider.value = 9',
    '%%python\nslider.value',
  );
  await notebook.cell(0).run();
  const output = notebook.cell(0).element.locator('.jp-OutputArea');
  const handle = output.getByRole('slider');
  await expect(handle).toBeVisible();
  await expect(output.locator('.widget-label').filter({ hasText: 'not moved' })).toBeVisible();
  await handle.focus();
  await page.keyboard.press('ArrowRight');
  await expect(output.getByText('from 3 to 4')).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await expect(output.getByText('from 4 to 5')).toBeVisible();
  // And the other way: what a cell sets moves the slider.
  await notebook.cell(1).run();
  await expect(output.locator('.widget-readout')).toHaveText('9');
  await expect(output.getByText('from 5 to 9')).toBeVisible();
  await notebook.cell(2).run();
  await expect(notebook.cell(2).outputs).toHaveText(['9']);
});

test('a slider moves while a cell is at work', async ({ open, page }) => {
  const notebook = await open(
    [
      '%%python',
      'import ipywidgets as widgets',
      'slider = widgets.IntSlider(value=3, min=0, max=10)',
      'label = widgets.Label("not moved")',
      'slider.observe(lambda change: setattr(label, "value", f"now {change.new}"), names="value")',
      'widgets.VBox([slider, label])',
    ].join('\n'),
    'print("on and on");\nloop {}',
  );
  await notebook.cell(0).run();
  const output = notebook.cell(0).element.locator('.jp-OutputArea');
  await expect(output.getByRole('slider')).toBeVisible();
  await notebook.cell(1).start();
  await expect(notebook.cell(1).outputs).toHaveText(['on and on\n']);
  await output.getByRole('slider').focus();
  await page.keyboard.press('ArrowRight');
  await expect(output.getByText('now 4')).toBeVisible();
  await expect(notebook.cell(1).number).toHaveText('[*]:');
  await notebook.interrupt();
  await notebook.cell(1).done();
});

test('what interact draws follows its slider', async ({ open, page }) => {
  const notebook = await open(
    '%%python\nfrom ipywidgets import interact\n@interact(n=(1, 5))\ndef squared(n=2):\n    print("squared:", n * n)\n    return n',
  );
  await notebook.cell(0).run();
  const output = notebook.cell(0).element.locator('.jp-OutputArea').first();
  await expect(output).toContainText('squared: 4');
  await output.getByRole('slider').focus();
  await page.keyboard.press('ArrowRight');
  await expect(output).toContainText('squared: 9');
  await expect(output).not.toContainText('squared: 4');
});

test('progress of Python and of scripts is a bar', async ({ open }) => {
  const notebook = await open(
    '%%python\nfrom tqdm.auto import tqdm\nfor step in tqdm(range(20), desc="python"): pass',
    'for step in progress(0..20, desc: "script") { }',
    'let half = progress(0..4, desc: "half");\nfor step in half { if step == 2 { throw "stopped" } }',
  );
  await notebook.cell(0).run();
  const python = notebook.cell(0).element.locator('.jp-OutputArea');
  await expect(python.locator('.widget-hprogress .progress-bar')).toBeVisible();
  await expect(python).toContainText('20/20');
  await notebook.cell(1).run();
  const script = notebook.cell(1).shown('text/html');
  await expect(script).toContainText('script: 100%');
  await expect(script).toContainText('20/20');
  const bar = script.getByRole('progressbar');
  await expect(bar).toBeVisible();
  expect((await bar.boundingBox()).width).toBeGreaterThan(100);
  expect(await bar.evaluate(({ position }) => position)).toBe(1);
  await notebook.cell(2).run();
  const stopped = notebook.cell(2).shown('text/html').getByRole('progressbar');
  await expect(stopped).toBeVisible();
  expect(await stopped.evaluate(({ position }) => position)).toBe(0.5);
});

test('figures of matplotlib and pictures of tensors are drawn', async ({ open }) => {
  const notebook = await open(
    '%%python\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);',
    'plot.image(torch.rand([3, 8, 8]));',
  );
  for (const place of [0, 1]) {
    await notebook.cell(place).run();
    const picture = notebook.cell(place).shown('image/png').locator('img');
    await expect(picture).toBeVisible();
    const size = await picture.evaluate(image => [image.naturalWidth, image.naturalHeight]);
    expect(Math.min(...size), `${size}`).toBeGreaterThan(7);
  }
});
