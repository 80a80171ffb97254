// The pictures of docs/, drawn anew where UPDATE_PICTURES=1 asks for it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { repository } from './lab.js';
import { expect, test } from './test.js';

test.skip(!process.env.UPDATE_PICTURES, 'UPDATE_PICTURES=1 draws the pictures anew');
// As sharp as a good screen.
test.use({ deviceScaleFactor: 2, viewport: { width: 1000, height: 1180 } });

/** The largest that a picture may be, in bytes. */
const LARGEST = 200_000;

/** Writes what the page shows to `docs/`, in few colours and small. */
async function draw(page, name) {
  const shot = test.info().outputPath('page.png');
  await page.screenshot({ path: shot, animations: 'disabled' });
  const reduce = [
    'import sys',
    'from pathlib import Path',
    'from PIL import Image',
    'image = Image.open(sys.argv[1]).convert("RGB").quantize(128, dither=Image.Dither.NONE)',
    'image.save(sys.argv[2], optimize=True)',
    'print(Path(sys.argv[2]).stat().st_size)',
  ].join('\n');
  const python = join(repository, '.venv/bin/python');
  const size = execFileSync(python, ['-c', reduce, shot, join(repository, 'docs', name)], { encoding: 'utf8' });
  expect(Number(size), `bytes of docs/${name}`).toBeLessThan(LARGEST);
}

/** Runs all cells but the last, and has only the notebook on the page. */
async function prepare(notebook, cells) {
  const { page } = notebook;
  await page.keyboard.press('Control+b');
  for (let i = 0; i < cells; i++) await notebook.cell(i).run();
  await notebook.idle();
}

test('a model, its training, its picture and a mistake', async ({ open, page }) => {
  const notebook = await open(
    [
      'torch.manual_seed(0);',
      'let x = torch.linspace(-3, 3, 64).unsqueeze(1);',
      'let y = x.sin() + 0.1 * torch.randn([64, 1]);',
      'let model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1));',
      'model',
    ].join('\n'),
    [
      'let optimizer = optim.Adam(model.parameters(), lr: 0.01);',
      'for step in progress(0..2000, desc: "fitting") {',
      '    optimizer.zero_grad();',
      '    F.mse_loss(model(x), y).backward();',
      '    optimizer.step();',
      '}',
      'let rest = no_grad { y - model(x) };',
      'rest.flatten()[0..16]',
    ].join('\n'),
    'plot.hist(rest.flatten(), title: "What is left", bins: 24);',
    'model(torch.ones([4, 2]))',
  );
  await prepare(notebook, 4);
  await notebook.cell(3).element.scrollIntoViewIfNeeded();
  await draw(page, 'notebook.png');
});

test('a slider of Python, and completion', async ({ open, page }) => {
  await page.setViewportSize({ width: 1000, height: 640 });
  const notebook = await open(
    'let weights = torch.randn([3, 4]);',
    [
      '%%python',
      'from ipywidgets import interact',
      '',
      '@interact(row=(0, 2))',
      'def show(row=1):',
      '    return weights[row]',
    ].join('\n'),
    '',
  );
  await prepare(notebook, 2);
  await notebook.cell(2).type('weights.cum');
  await page.keyboard.press('Tab');
  await expect(page.locator('.jp-Completer')).toBeVisible();
  await draw(page, 'notebook-completion.png');
});
