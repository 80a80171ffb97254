// Draws the pictures of docs/ anew; run only where UPDATE_PICTURES=1 asks for it.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { repository } from './lab.js';
import { expect, test } from './test.js';

// As sharp as a good screen.
test.use({ deviceScaleFactor: 2, viewport: { width: 1000, height: 1240 } });

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

/** Opens a new notebook, has only it on the page, and runs its first cells. */
async function prepare({ notebook, lab, page }, name, cells, run) {
  await notebook.open(lab.write(name, cells.map(lines => lines.join('\n'))));
  await page.keyboard.press('Control+b');
  await page.locator('.jp-SideBar').first().waitFor();
  for (let i = 0; i < run; i++) await notebook.cell(i).run();
  await page.keyboard.press('Control+s');
  await expect(page.locator('.jp-mod-dirty')).toHaveCount(0);
  await notebook.idle();
}

test('a model, its training, its picture and a mistake', async ({ notebook, lab, page }) => {
  const cells = [
    [
      'torch.manual_seed(0);',
      'let x = torch.linspace(-3, 3, 64).unsqueeze(1);',
      'let y = x.sin() + 0.1 * torch.randn([64, 1]);',
      'let model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1));',
      'model',
    ],
    [
      'let optimizer = optim.Adam(model.parameters(), lr: 0.01);',
      'let losses = [];',
      'let bar = progress(0..500, desc: "fitting");',
      'for step in bar {',
      '    let loss = F.mse_loss(model(x), y);',
      '    optimizer.zero_grad();',
      '    loss.backward();',
      '    optimizer.step();',
      '    losses.push(loss.item());',
      '    bar.set_postfix(loss: loss.item());',
      '}',
      'torch.tensor(losses.extract(0, 16))',
    ],
    ['plot.line(losses, title: "Fitting a sine", log_y: true, height: 260);'],
    ['model(torch.ones([4, 2]))'],
  ];
  await prepare({ notebook, lab, page }, 'fitting.ipynb', cells, cells.length);
  await notebook.cell(0).element.scrollIntoViewIfNeeded();
  await draw(page, 'notebook.png');
});

test('a slider of Python, and completion', async ({ notebook, lab, page }) => {
  await page.setViewportSize({ width: 900, height: 700 });
  const cells = [
    ['let weights = torch.randn([3, 4]);'],
    [
      '%%python',
      'from ipywidgets import interact',
      '',
      '@interact(row=(0, 2))',
      'def show(row=1):',
      '    return weights[row]',
    ],
    [''],
  ];
  await prepare({ notebook, lab, page }, 'rows.ipynb', cells, 2);
  await notebook.cell(2).type('weights.cum');
  await page.keyboard.press('Tab');
  await expect(page.locator('.jp-Completer')).toBeVisible();
  await draw(page, 'notebook-completion.png');
});
