import { existsSync, writeFileSync } from 'node:fs';
import { newSigningKeyFile } from '../signing-key-file.ts';
import { CliError } from './error.ts';

/** `inglenook generate-key [FILE]`: a new signing key, to a new file or to standard output. */
export function generateKey(file: string | undefined): void {
  const text = newSigningKeyFile();
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  if (existsSync(file)) throw new CliError(`${file} is there already; a signing key is never overwritten`);
  writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
}
