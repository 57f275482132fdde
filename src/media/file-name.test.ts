import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cleanFileName, contentDisposition } from './file-name.ts';

describe('cleanFileName', () => {
  it('leaves ordinary names as they are', () => {
    for (const name of ['War and Peace.pdf', 'été.txt', '写真.png', '.profile', 'a"b.txt', "it's (1).jpg"]) {
      assert.equal(cleanFileName(name), name);
    }
  });

  it('makes paths into names', () => {
    assert.equal(cleanFileName('../../etc/passwd'), '.._.._etc_passwd');
    assert.equal(cleanFileName('C:\\x\\y.exe'), 'C:_x_y.exe');
    assert.equal(cleanFileName('..'), undefined);
  });

  it('removes controls, line breaks and what turns text around', () => {
    assert.equal(cleanFileName('a\r\nSet-Cookie: x\0.txt'), 'aSet-Cookie: x.txt');
    assert.equal(cleanFileName('photo\u202egpj.exe'), 'photogpj.exe');
    assert.equal(cleanFileName('\u0000 '), undefined);
  });

  it('shortens to 255 bytes, whole characters, and keeps the extension', () => {
    const cleaned = cleanFileName(`${'é'.repeat(300)}.jpeg`) ?? '';
    assert.ok(Buffer.byteLength(cleaned) <= 255);
    assert.match(cleaned, /^é+\.jpeg$/);
    assert.equal(cleanFileName('😀'.repeat(80)), '😀'.repeat(63));
    assert.equal(cleanFileName('x'.repeat(300)), 'x'.repeat(255));
    assert.equal(cleanFileName(`${'x'.repeat(10)}.${'y'.repeat(300)}`), `${'x'.repeat(10)}.${'y'.repeat(244)}`);
  });

  it('shortens the longest that a request line can hold in no time', () => {
    const start = performance.now();
    for (let i = 0; i < 100; i++) cleanFileName(`${'x'.repeat(16_000)}.jpeg`);
    assert.ok(performance.now() - start < 200);
  });
});

describe('contentDisposition', () => {
  it('has no name where there is none', () => assert.equal(contentDisposition('inline', undefined), 'inline'));

  it('quotes', () => {
    assert.equal(contentDisposition('attachment', 'a "b" \\c.txt'), 'attachment; filename="a \\"b\\" \\\\c.txt"');
  });

  it('writes other scripts as UTF-8, with a stand-in', () => {
    assert.equal(
      contentDisposition('inline', '写(1).png'),
      `inline; filename="_(1).png"; filename*=UTF-8''%E5%86%99%281%29.png`,
    );
  });
});
