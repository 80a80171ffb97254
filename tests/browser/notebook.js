// A notebook as a user has it before them: what they press, and where they look.
import { expect } from '@playwright/test';

export class Notebook {
  constructor(page, lab) {
    this.page = page;
    this.lab = lab;
    this.panel = page.locator('.jp-NotebookPanel');
    this.cells = this.panel.locator('.jp-Notebook .jp-Cell');
    this.codeCells = this.panel.locator('.jp-Notebook .jp-CodeCell');
  }

  /** Opens a notebook of the server's root, and waits until its kernel is idle. */
  async open(name) {
    const workspace = name.replace(/\W/g, '-');
    await this.page.goto(`${this.lab.url}lab/workspaces/${workspace}/tree/${name}?token=${this.lab.token}&reset`);
    await expect(this.cells.first()).toBeVisible();
    await this.idle();
  }

  /** Waits until the kernel has nothing to do. */
  async idle() {
    await this.#kernelIs('Idle');
  }

  /** Waits until the kernel is at work. */
  async busy() {
    await this.#kernelIs('Busy');
  }

  /** By the status bar, which tells a kernel from none. */
  async #kernelIs(status) {
    await expect(this.page.locator('#jp-main-statusbar')).toContainText(new RegExp(`Flambeau.* \\| ${status}`));
  }

  /** A code cell by its place among the code cells. */
  cell(place) {
    return new Cell(this, this.codeCells.nth(place));
  }

  /** The place of the only code cell that holds a text. */
  async placeOf(text) {
    const texts = await this.codeCells.locator('.cm-content').allInnerTexts();
    const places = texts.flatMap((found, i) => (found.includes(text) ? [i] : []));
    expect(places, `cells with ${text}`).toHaveLength(1);
    return places[0];
  }

  /** A choice of the menu bar. */
  async choose(menu, item) {
    await this.page.getByRole('menubar').getByRole('menuitem', { name: menu, exact: true }).click();
    await this.page.getByRole('menuitem', { name: item, exact: true }).click();
  }

  async runAll() {
    await this.choose('Run', 'Run All Cells');
  }

  /** The button of the notebook's toolbar that interrupts the kernel. */
  async interrupt() {
    await this.panel.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]').click();
  }
}

/** A code cell with its output. */
export class Cell {
  constructor(notebook, element) {
    this.notebook = notebook;
    this.page = notebook.page;
    this.element = element;
    this.editor = element.locator('.jp-InputArea-editor .cm-content');
    this.number = element.locator('.jp-InputPrompt');
    // JupyterLab shows errors as it shows standard error.
    this.error = element.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]');
    this.outputs = element.locator('.jp-OutputArea-output');
  }

  /** Puts the cursor into the cell, behind all that it holds. */
  async enter() {
    await this.editor.click();
    await this.page.keyboard.press('Control+End');
  }

  /** Types behind what the cell holds. */
  async type(text) {
    await this.enter();
    await this.page.keyboard.type(text);
  }

  /** Puts a text, as if it were pasted, in the place of what the cell holds. */
  async fill(text) {
    await this.enter();
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.insertText(text);
  }

  /** Runs the cell; does not wait. */
  async start() {
    await this.enter();
    await this.page.keyboard.press('Control+Enter');
  }

  /** Runs the cell until it has its number. */
  async run() {
    await this.start();
    await this.done();
  }

  async done() {
    await expect(this.number).toHaveText(/^\[\d+\]:$/);
  }

  /** The outputs of a MIME type. */
  shown(mime) {
    return this.element.locator(`.jp-OutputArea-output[data-mime-type="${mime}"]`);
  }
}
