// Cells that do not end by themselves, or end badly.
import { expect, test } from './test.js';

for (const [language, loop] of [
  ['a script', 'let before = 1;\nprint("on and on");\nloop {}'],
  ['Python', '%%python\nbefore = 1\nprint("on and on")\nwhile True: pass'],
]) {
  test(`the stop button ends an endless loop of ${language}`, async ({ open }) => {
    const notebook = await open('let kept = torch.arange(3);', loop, 'print(kept); before + 1');
    await notebook.cell(0).run();
    await notebook.cell(1).start();
    await expect(notebook.cell(1).number).toHaveText('[*]:');
    await expect(notebook.cell(1).outputs).toHaveText(['on and on\n']);
    await notebook.busy();
    await notebook.interrupt();
    await notebook.cell(1).done();
    await expect(notebook.cell(1).error).toContainText('Interrupt');
    await notebook.cell(2).run();
    await expect(notebook.cell(2).outputs).toHaveText(['tensor([0, 1, 2])\n', '2']);
  });
}

test('an error names its place in colours and stops the cells behind it', async ({ open }) => {
  const notebook = await open(
    'let kept = 3;\nfn product(a, b) { a @ b }',
    'product(torch.ones([2, 3]), torch.ones([2, 3]))',
    'kept = 4;',
    'kept',
  );
  await notebook.runAll();
  const { error } = notebook.cell(1);
  await expect(error).toContainText('ShapeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)');
  await expect(error).toContainText('with left: float32[2, 3], right: float32[2, 3]');
  await expect(error).toContainText('cell 1:2:22');
  // The kernel's colours are the page's.
  await expect(error.locator('.ansi-red-fg').first()).toHaveText('×');
  await expect(notebook.cell(2).number).toHaveText('[ ]:');
  await notebook.cell(3).run();
  await expect(notebook.cell(3).outputs).toHaveText(['3']);
});

test('an exception of Python is shown at its line', async ({ open }) => {
  const notebook = await open('%%python\ndef share(part, whole):\n    return part / whole\n\nshare(1, 0)');
  await notebook.cell(0).run();
  const { error } = notebook.cell(0);
  await expect(error).toContainText('ZeroDivisionError: division by zero');
  await expect(error).toContainText('cell 1:3:12');
  await expect(error).toContainText('3 │     return part / whole');
});
