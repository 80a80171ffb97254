// A JupyterLab of its own for the tests: a free port, a token, folders and a kernel spec that the program installs.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** How long a server may take to answer, in milliseconds: its first start compiles JupyterLab's Python code. */
const START = 120_000;
/** How long a server may take to end its kernels and itself. */
const END = 20_000;

/** What users are asked or told at the first start, and what keeps cells that are out of sight out of the page. */
const SETTINGS = {
  'apputils-extension/notification': { fetchNews: 'false', checkForUpdates: false },
  'notebook-extension/tracker': { windowingMode: 'none' },
};

export class Lab {
  /** A server whose root is a copy of `notebooks/`. */
  static async start() {
    const lab = new Lab();
    try {
      lab.#prepare();
      lab.#spawn();
      await lab.#answering();
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  constructor() {
    this.token = randomBytes(16).toString('hex');
    this.folder = mkdtempSync(join(tmpdir(), 'flambeau-browser-'));
    this.root = this.#at('root');
    this.said = '';
    this.kill = () => this.#signal('SIGKILL');
  }

  #at(...parts) {
    return join(this.folder, ...parts);
  }

  #prepare() {
    const ours = source => !/\/(runs|\.ipynb_checkpoints)$/.test(source);
    cpSync(join(repository, 'notebooks'), this.root, { recursive: true, filter: ours });
    this.resetSettings();
    const program = join(repository, 'target/release/flambeau');
    execFileSync(program, ['kernel', 'install', '--prefix', this.folder], { stdio: 'pipe' });
  }

  #spawn() {
    const options = [
      '--no-browser',
      '--allow-root',
      '--ServerApp.ip=127.0.0.1',
      '--ServerApp.port=0',
      `--ServerApp.root_dir=${this.root}`,
      `--IdentityProvider.token=${this.token}`,
    ];
    this.server = spawn(join(repository, 'target/browser/bin/jupyter-lab'), options, {
      cwd: this.folder,
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of processes, which can be ended as one
    });
    for (const stream of [this.server.stdout, this.server.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', text => { this.said += text; });
    }
    this.ended = new Promise(resolve => this.server.on('close', resolve));
    process.on('exit', this.kill);
  }

  #environment() {
    return {
      ...process.env,
      HOME: this.folder,
      JUPYTER_CONFIG_DIR: this.#at('config'),
      JUPYTER_DATA_DIR: this.#at('data'),
      JUPYTER_RUNTIME_DIR: this.#at('runtime'),
      JUPYTERLAB_SETTINGS_DIR: this.#at('settings'),
      JUPYTERLAB_WORKSPACES_DIR: this.#at('workspaces'),
      // The kernel, and the widgets' part of the page.
      JUPYTER_PATH: [this.#at('share/jupyter'), join(repository, '.venv/share/jupyter')].join(':'),
      IPYTHONDIR: this.#at('ipython'),
      MPLCONFIGDIR: this.#at('matplotlib'),
      XDG_CONFIG_HOME: this.#at('xdg/config'),
      XDG_CACHE_HOME: this.#at('xdg/cache'),
      XDG_DATA_HOME: this.#at('xdg/data'),
      XDG_STATE_HOME: this.#at('xdg/state'),
    };
  }

  async #answering() {
    const limit = Date.now() + START;
    while (Date.now() < limit && this.server.exitCode === null) {
      this.url ??= this.#announced();
      const answer = this.url && (await this.request('api/status').catch(() => undefined));
      if (answer) return;
      await pause(100);
    }
    throw new Error(`JupyterLab did not start:\n${this.said}`);
  }

  /** The address in the file that the server writes for clients. */
  #announced() {
    const runtime = this.#at('runtime');
    const files = existsSync(runtime) ? readdirSync(runtime) : [];
    const file = files.find(name => /^jpserver-\d+\.json$/.test(name));
    try {
      return file && JSON.parse(readFileSync(join(runtime, file), 'utf8')).url;
    } catch {
      return undefined; // only begun
    }
  }

  /** What the server's REST interface answers; a failure raises. */
  async request(path, method = 'GET') {
    const headers = { Authorization: `token ${this.token}` };
    const answer = await fetch(new URL(path, this.url), { method, headers });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  }

  /** What was set is set no more. */
  resetSettings() {
    rmSync(this.#at('settings'), { recursive: true, force: true });
    for (const [plugin, values] of Object.entries(SETTINGS)) this.set(plugin, values);
  }

  /** Has a plugin of JupyterLab's these settings, on pages that are opened from now on. */
  set(plugin, values) {
    const file = this.#at('settings/@jupyterlab', `${plugin}.jupyterlab-settings`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(values));
  }

  /** Writes a notebook of ours with these cells, and gives its name. */
  write(name, cells) {
    const kernelspec = { name: 'flambeau', display_name: 'Flambeau', language: 'rhai' };
    const made = cells.map((source, i) => (
      { cell_type: 'code', id: `cell-${i}`, execution_count: null, metadata: {}, outputs: [], source }
    ));
    const notebook = { cells: made, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 };
    writeFileSync(join(this.root, name), JSON.stringify(notebook));
    return name;
  }

  /** Ends the kernels of all notebooks. */
  async endSessions() {
    const sessions = await this.request('api/sessions');
    await Promise.all(sessions.map(({ id }) => this.request(`api/sessions/${id}`, 'DELETE')));
  }

  #signal(name) {
    try {
      process.kill(-this.server.pid, name);
    } catch {
      // It has ended.
    }
  }

  /** Ends server and kernels, and removes the folder. */
  async stop() {
    if (this.server?.pid) {
      this.#signal('SIGTERM');
      await Promise.race([this.ended, pause(END, undefined, { ref: false })]);
      this.kill();
      process.off('exit', this.kill);
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
