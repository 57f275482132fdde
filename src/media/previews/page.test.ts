import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodePage } from './charset.ts';
import { readOembed } from './oembed.ts';
import { readPage } from './page.ts';

const BASE = new URL('https://example.com/blog/post');

describe('readPage', () => {
  it('takes Open Graph, and makes the picture absolute', async () => {
    const { facts, image } = await readPage(
      `<html><head><title>Other</title><meta property="og:title" content="Tom &amp; Jerry"/>
       <meta property="og:description" content=" a
       b "><meta property="og:image" content="../pic.png"><meta property="og:type" content="article"></head>`,
      BASE,
    );
    assert.deepEqual(facts, { 'og:title': 'Tom & Jerry', 'og:description': 'a b', 'og:type': 'article' });
    assert.equal(image?.href, 'https://example.com/pic.png');
  });

  it('takes Twitter cards, then plain metadata, then title and first words', async () => {
    const card = await readPage(
      '<meta name="twitter:title" content="T"><meta name="twitter:image" content="/i.png">',
      BASE,
    );
    assert.equal(card.facts['og:title'], 'T');
    assert.equal(card.image?.href, 'https://example.com/i.png');
    const plain = await readPage(
      '<title> A <b>title</b></title><nav><p>Menu</p></nav><script>var p = "<p>no</p>"</script><p>First words.</p><p>More.</p>',
      BASE,
    );
    assert.deepEqual(plain.facts['og:description'], 'First words.');
    assert.match(plain.facts['og:title'] ?? '', /^A/);
  });

  it('finds the description for embedding', async () => {
    const { oembed } = await readPage(
      '<link rel="alternate" type="application/json+oembed" href="/o?x=1&amp;y=2">',
      BASE,
    );
    assert.equal(oembed?.href, 'https://example.com/o?x=1&y=2');
  });

  it('takes no picture that is not on the web', async () => {
    for (const src of ['data:image/png;base64,AAAA', 'file:///etc/passwd', 'javascript:alert(1)', 'http://']) {
      assert.equal((await readPage(`<meta property="og:image" content="${src}">`, BASE)).image, undefined, src);
    }
  });

  it('bears anything', async () => {
    for (const html of ['', '<', '<meta', '<p>'.repeat(100_000), '</p></p>', '\0\0\0', '<title>x', '<svg><title>y']) {
      assert.ok(await readPage(html, BASE));
    }
    assert.ok(((await readPage(`<title>${'x'.repeat(100_000)}</title>`, BASE)).facts['og:title'] ?? '').length <= 1000);
  });

  it('keeps nobody waiting, however a page is nested', async () => {
    for (const tag of ['<div>', '<b></i>', '<meta name="x" content="y">', '<p><title>']) {
      const turns: number[] = [performance.now()];
      const timer = setInterval(() => turns.push(performance.now()), 1);
      await readPage(tag.repeat(200_000), BASE);
      clearInterval(timer);
      turns.push(performance.now());
      const longest = Math.max(...turns.slice(1).map((at, i) => at - (turns[i] ?? at)));
      // It was 12 seconds.
      assert.ok(longest < 500, `${tag}: ${longest} ms`);
    }
  });
});

describe('decodePage', () => {
  it('decodes by mark, header, page, or as UTF-8', () => {
    assert.equal(decodePage(Buffer.from('é'), 'text/html'), 'é');
    assert.equal(decodePage(Buffer.from([0xe9]), 'text/html; charset=ISO-8859-1'), 'é');
    const sjis = Buffer.concat([Buffer.from('<meta charset="shift_jis">'), Buffer.from([0x93, 0xfa, 0x96, 0x7b])]);
    assert.match(decodePage(sjis, 'text/html'), /日本$/);
    const gbk = Buffer.concat([
      Buffer.from('<meta http-equiv="Content-Type" content="text/html; charset=gb2312">'),
      Buffer.from([0xd6, 0xd0]),
    ]);
    assert.match(decodePage(gbk, 'text/html'), /中$/);
    assert.equal(decodePage(Buffer.from([0xff, 0xfe, 0x41, 0x00]), 'text/html; charset=utf-8'), 'A');
  });

  it('takes unknown names and broken bytes', () => {
    assert.equal(decodePage(Buffer.from('é'), 'text/html; charset=klingon'), 'é');
    assert.equal(decodePage(Buffer.from([0xff]), ''), '\ufffd');
  });
});

describe('readOembed', () => {
  it('takes title, provider and picture', () => {
    const json = JSON.stringify({ type: 'video', title: 'A film', provider_name: 'P', thumbnail_url: 'https://x/y' });
    assert.deepEqual(readOembed(json), {
      facts: { 'og:title': 'A film', 'og:site_name': 'P' },
      image: 'https://x/y',
    });
  });

  it('passes over wrong types, and what is no JSON', () => {
    assert.deepEqual(readOembed('{"title": 5, "thumbnail_url": {}}'), { facts: {}, image: undefined });
    assert.equal(readOembed('<html>'), undefined);
    assert.equal(readOembed('[]'), undefined);
  });
});
