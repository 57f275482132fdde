/** Finds and starts the machine's Chromium, headless. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** `--no-sandbox`: root, as in containers, can't have one. The others keep it from talking to anybody but our server. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A name that is this machine, and no secure origin as localhost is.
  '--host-resolver-rules=MAP homeserver.test 127.0.0.1',
];
const SCREENSHOTS = path.join(import.meta.dirname, '../../.cache/screenshots');
/** Of every click and every wait. A machine under load still manages. */
const ACTION_TIMEOUT_MS = 20_000;

/** A browser of which each page is somebody else's machine: nothing is shared between them. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Starts Chromium: INGLENOOK_CHROMIUM, or the first one in PATH. */
  static async launch(): Promise<TestBrowser> {
    return new TestBrowser(await chromium.launch({ executablePath: findChromium(), args: ARGS }));
  }

  /** An empty page in a profile of its own. */
  async newPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width: 1100, height: 720 }, ...options });
    context.setDefaultTimeout(ACTION_TIMEOUT_MS);
    return context.newPage();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** Keeps what a page shows in `.cache/screenshots/NAME.png`, for people to look at. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
}

function findChromium(): string {
  const chosen = process.env.INGLENOOK_CHROMIUM;
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const candidates =
    chosen === undefined ? folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name))) : [chosen];
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    'No Chromium is here. Install one (Debian: apt-get install chromium), or name its program in INGLENOOK_CHROMIUM.',
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
