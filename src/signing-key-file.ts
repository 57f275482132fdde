import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import {
  formatSigningKeyFile,
  generateSigningKey,
  parseSigningKeyFile,
  type SigningKey,
} from './protocol/crypto/index.ts';

/** A new key as it stands in a file: `ed25519 a_XXXX BASE64`. */
export function newSigningKeyFile(): string {
  const version = `a_${randomBytes(3).toString('hex')}`;
  return formatSigningKeyFile([generateSigningKey(version, randomBytes(32))]);
}

/**
 * The server's signing keys; the first one signs. A new key is written where there is no file.
 * Throws where the file can't be read, or is not a key file.
 */
export function readOrMakeSigningKeys(file: string): readonly [SigningKey, ...SigningKey[]] {
  const [first, ...others] = parseKeys(file, readIfThere(file) ?? writeNewKey(file));
  if (first === undefined) throw new Error(`${file} holds no signing key`);
  return [first, ...others];
}

function parseKeys(file: string, text: string): readonly SigningKey[] {
  try {
    return parseSigningKeyFile(text);
  } catch (error) {
    throw new Error(`${file} is not a signing key file`, { cause: error });
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Never over an existing file: whoever loses this key loses the server's identity. */
function writeNewKey(file: string): string {
  const text = newSigningKeyFile();
  mkdirSync(path.dirname(file), { recursive: true });
  const fd = openSync(file, 'wx', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return text;
}
