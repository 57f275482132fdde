import { readFileSync } from 'node:fs';

/** The folder that holds package.json: of the checkout or of the installed package. */
export const PROJECT_FOLDER = new URL('../', import.meta.url).pathname;

/** The version in package.json. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : '';
  return String(version);
}
