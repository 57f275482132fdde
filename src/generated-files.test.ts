import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { generatedFiles } from './generated-files.ts';
import { PROJECT_FOLDER } from './version.ts';

describe('generated files', () => {
  it('are what the code says (npm run docs writes them)', async () => {
    for (const [file, expected] of await generatedFiles()) {
      const name = path.relative(PROJECT_FOLDER, file);
      assert.equal(await readFile(file, 'utf8'), expected, `${name} is out of date: run npm run docs`);
    }
  });
});
