import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BadJsonError, JSON_DEPTH_MAX, parseJson } from './parse.ts';
import { readBoolean, readInteger, readObject, readString, readStrings, readValue } from './value.ts';

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('parseJson', () => {
  it('parses JSON of any kind', () => {
    assert.deepEqual(parseJson(' {"a":[1,null,true,"x"]} '), { a: [1, null, true, 'x'] });
  });

  it('refuses what is not JSON without quoting it', () => {
    assert.throws(
      () => parseJson('{"password":"secret"'),
      (error) => error instanceof BadJsonError && !error.message.includes('secret'),
    );
  });

  it('accepts nesting up to the limit and refuses more', () => {
    assert.ok(parseJson(nested(JSON_DEPTH_MAX)));
    assert.throws(() => parseJson(nested(JSON_DEPTH_MAX + 1)), BadJsonError);
    assert.throws(() => parseJson(nested(100_000)), BadJsonError);
  });

  it('does not count brackets in strings, nor escaped quotes as their end', () => {
    const text = `"${'['.repeat(2000)}\\"${'{'.repeat(2000)}\\\\"`;
    assert.equal(parseJson(text), `${'['.repeat(2000)}"${'{'.repeat(2000)}\\`);
  });

  it('refuses more values than it is told to, wherever they stand', () => {
    const many = (unit: string) => `{"a":[${Array(999).fill(unit).join(',')}]}`;
    for (const unit of ['0', '[]', '{}', '"[,,,"']) {
      assert.ok(parseJson(many(unit), 3_000));
      assert.ok(parseJson(many(unit)));
      assert.throws(() => parseJson(many(unit), 500), BadJsonError);
    }
  });

  it('counts depth, not brackets', () => {
    assert.equal((parseJson(`[${'[],'.repeat(2000)}[]]`) as readonly unknown[]).length, 2001);
  });
});

describe('typed readers', () => {
  const object = { text: 'x', number: 1, float: 1.5, flag: false, inner: { a: 1 }, list: ['a', 'b'], mixed: ['a', 1] };

  it('give a value of the type asked for', () => {
    assert.equal(readString(object, 'text'), 'x');
    assert.equal(readInteger(object, 'number'), 1);
    assert.equal(readBoolean(object, 'flag'), false);
    assert.deepEqual(readObject(object, 'inner'), { a: 1 });
    assert.deepEqual(readStrings(object, 'list'), ['a', 'b']);
  });

  it('give undefined for another type', () => {
    assert.equal(readString(object, 'number'), undefined);
    assert.equal(readInteger(object, 'float'), undefined);
    assert.equal(readInteger(object, 'text'), undefined);
    assert.equal(readObject(object, 'list'), undefined);
    assert.equal(readStrings(object, 'mixed'), undefined);
  });

  it('never reach the prototype', () => {
    assert.equal(readValue({}, 'constructor'), undefined);
    assert.equal(readObject({}, '__proto__'), undefined);
  });
});
