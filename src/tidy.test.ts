import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { complaintsAbout } from './tidy-rules.ts';
import { PROJECT_FOLDER } from './version.ts';

/** A lockfile's package, as far as it matters here. */
interface LockedPackage {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const read = (file: string) => readFileSync(path.join(PROJECT_FOLDER, file), 'utf8');

describe('the house rules', () => {
  it('are kept by every file', () => {
    const files = globSync('src/**/*.ts', { cwd: PROJECT_FOLDER, exclude: ['src/web/client/**'] });
    assert.ok(files.length > 100);
    const complaints = files.toSorted().flatMap((file) => complaintsAbout({ path: file, text: read(file) }));
    assert.deepEqual(complaints, []);
  });

  it('let npm ci work on every platform: the lockfile names all optional packages', () => {
    const lock: { packages: Readonly<Record<string, LockedPackage>> } = JSON.parse(read('package-lock.json'));
    const missing = Object.entries(lock.packages).flatMap(([place, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in lock.packages) && !(`${place}/node_modules/${name}` in lock.packages),
      ),
    );
    assert.deepEqual(missing, []);
  });
});

describe('the checker of the house rules', () => {
  const complaintsIn = (file: string, text: string) => complaintsAbout({ path: file, text });

  it('finds an import from a higher part, and past a face', () => {
    const up = "import { Rooms } from '../rooms/index.ts';\n";
    assert.match(complaintsIn('src/accounts/x.ts', up)[0] ?? '', /rooms\/index\.ts, which is not below accounts/);
    assert.match(
      complaintsIn('src/sync/x.ts', "import {\n  A,\n} from '../rooms/read/a.ts';\n")[0] ?? '',
      /import its index/,
    );
    assert.match(
      complaintsIn('src/protocol/a/x.ts', "export { B } from '../../storage/b.ts';\n")[0] ?? '',
      /not below/,
    );
    assert.match(complaintsIn('src/accounts/x.ts', "const a = await import('../sync/a.ts');\n")[0] ?? '', /not below/);
    assert.deepEqual(complaintsIn('src/sync/x.ts', up), []);
  });

  it('finds SQL outside of stores', () => {
    const text = "const rows = await tx.db.selectFrom('users').selectAll().execute();\n";
    assert.equal(complaintsIn('src/accounts/users.ts', text).length, 1);
    assert.deepEqual(complaintsIn('src/accounts/store/users.ts', text), []);
    assert.deepEqual(complaintsIn('src/rooms/ephemeral/receipt-rows.ts', text), []);
  });

  it('finds a clock, chance or environment that was not passed in', () => {
    for (const use of ['Date.now()', 'Math.random()', 'process.env.HOME', 'new Date()']) {
      assert.equal(complaintsIn('src/rooms/x.ts', `const x = ${use};\n`).length, 1, use);
    }
    assert.deepEqual(complaintsIn('src/rooms/x.ts', '// never Date.now()\n'), []);
    assert.deepEqual(complaintsIn('src/cli/x.ts', 'const x = process.env.HOME;\n'), []);
  });

  it('finds a compared room version', () => {
    assert.equal(complaintsIn('src/rooms/x.ts', "if (rules.id === '12') x();\n").length, 1);
    assert.equal(complaintsIn('src/rooms/x.ts', "if (roomVersion !== '1') x();\n").length, 1);
  });

  it('finds ways around the compiler, in tests too', () => {
    for (const text of ['const x: any = 1;\n', 'const x = y as unknown as Z;\n', '// @ts-ignore\n', 'x as any;\n']) {
      assert.equal(complaintsIn('src/rooms/x.test.ts', text).length, 1, text);
    }
    assert.deepEqual(complaintsIn('src/rooms/x.ts', "const x = 'as any other';\n"), []);
  });

  it('finds files that are too long, and undocumented exports of a face', () => {
    assert.equal(complaintsIn('src/rooms/x.ts', 'x();\n'.repeat(301)).length, 1);
    assert.equal(complaintsIn('src/rooms/index.ts', 'const a = 1;\nexport function f() {}\n').length, 1);
    assert.deepEqual(complaintsIn('src/rooms/index.ts', '/** Does it. */\nexport function f() {}\n'), []);
  });
});
