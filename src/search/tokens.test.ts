import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { phrasesOf, tokensOf } from './tokens.ts';

describe('tokens of a text', () => {
  it('are its words in lower case', () => {
    assert.deepEqual(tokensOf("Hello, WORLD! It's 2026."), ['hello', 'world', 'it', 's', '2026']);
  });

  it('are every two neighbours in scripts without spaces, and the last character', () => {
    assert.deepEqual(tokensOf('明日の会議'), ['明日', '日の', 'の会', '会議', '議']);
    assert.deepEqual(tokensOf('회의'), ['회의', '의']);
  });

  it('change where the script changes', () => {
    assert.deepEqual(tokensOf('用Matrix聊天'), ['用', 'matrix', '聊天', '天']);
  });

  it('are the same for compatible forms', () => {
    assert.deepEqual(tokensOf('ＡＢＣ ｶﾀｶﾅ'), tokensOf('abc カタカナ'));
  });

  it('hold no characters of more than one unit apart', () => {
    assert.deepEqual(tokensOf('𠮷野家'), ['𠮷野', '野家', '家']);
  });
});

describe('phrases of a search term', () => {
  it('are its words, and stretches of pairs', () => {
    assert.deepEqual(
      phrasesOf('Room 会議室').map((phrase) => phrase.tokens),
      [['room'], ['会議', '議室']],
    );
  });

  it('are beginnings where there is one character only', () => {
    assert.deepEqual(phrasesOf('会'), [{ tokens: ['会'], isPrefix: true, text: '会' }]);
  });

  it('are none in punctuation', () => {
    assert.deepEqual(phrasesOf(' ?!… '), []);
  });
});
