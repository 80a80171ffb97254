// JupyterLab's debugger: breakpoints in cells, steps, what variables hold.
import { expect, test } from './test.js';

test('a cell stops at a breakpoint, is stepped through and goes on', async ({ open, page }) => {
  const notebook = await open(
    'fn doubled(x) {\n    let twice = x * 2;\n    twice + 1\n}',
    'let start = torch.ones([2, 3]);\nlet result = doubled(20);\nprint(`came to ${result}`);',
  );
  await notebook.cell(0).run();
  const bug = notebook.panel.locator('.jp-DebuggerBugButton');
  await bug.click();
  await expect(bug).toHaveAttribute('aria-pressed', 'true');
  // The second line of the second cell.
  await notebook.cell(1).element.locator('.cm-breakpoint-gutter .cm-gutterElement').nth(2).click();
  const sidebar = page.locator('.jp-DebuggerSidebar');
  await expect(sidebar.locator('.jp-DebuggerBreakpoint')).toHaveCount(1);
  await notebook.cell(1).start();
  const calls = sidebar.locator('.jp-DebuggerCallstackFrame');
  await expect(calls).toHaveCount(1);
  await expect(notebook.cell(1).element.locator('.jp-DebuggerEditor-highlight')).toHaveText('let result = doubled(20);');
  const variables = sidebar.locator('.jp-DebuggerVariables');
  await expect(variables).toContainText(/start:?\s*Tensor/);
  await variables.getByText('start').click();
  await expect(variables).toContainText('requires_grad');

  const press = (command) => sidebar.locator(`[data-command="debugger:${command}"]`).first().click();
  await press('stepIn');
  await expect(calls).toHaveCount(2);
  await expect(notebook.cell(0).element.locator('.jp-DebuggerEditor-highlight')).toHaveText('let twice = x * 2;');
  await press('next');
  await expect(variables).toContainText('twice');
  await press('continue');
  await notebook.cell(1).done();
  await expect(notebook.cell(1).outputs).toHaveText(['came to 41\n']);
  await expect(calls).toHaveCount(0);
});
