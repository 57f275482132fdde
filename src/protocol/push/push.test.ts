import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Event, type Pdu } from '../event/index.ts';
import { parseEventId, parseUserId, type UserId } from '../ids/index.ts';
import { canonicalJson, type JsonObject } from '../json/index.ts';
import { ROOM_VERSIONS } from '../room-versions/index.ts';
import { globMatches, globMatchesWords } from './glob.ts';
import {
  defaultPushRules,
  evaluateDefaultPush,
  evaluatePush,
  type PushCondition,
  type PushContext,
  type PushRule,
  type PushRuleset,
  pushRules,
  splitPropertyPath,
} from './index.ts';

const alice = parseUserId('@alice:x');
const bob = parseUserId('@bob:x');
const eventId = parseEventId('$event:x');
const rules = ROOM_VERSIONS.at(-1);
assert.ok(alice && bob && eventId && rules);
const ROOM = '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ';

/** An event as it comes from the store, where nothing is checked. */
function event(type: string, content: JsonObject, more: JsonObject = {}): Event {
  assert.ok(eventId && rules);
  const pdu = {
    type,
    content,
    sender: '@alice:x',
    room_id: ROOM,
    origin_server_ts: 1,
    depth: 1,
    hashes: {},
    signatures: {},
  };
  return Event.fromJson(eventId, canonicalJson({ ...pdu, prev_events: [], auth_events: [], ...more }), rules);
}

function context(changes: Partial<PushContext> = {}): PushContext {
  assert.ok(bob);
  const powerLevels = { users: (userId: UserId) => (userId === alice ? 50 : 0), notifications: () => 50 };
  return { userId: bob, displayName: 'Bob', memberCount: 3, powerLevels, ...changes };
}

const text = (body: string, more: JsonObject = {}) => event('m.room.message', { msgtype: 'm.text', body, ...more });
const withDefaults = (one: Event, changes: Partial<PushContext> = {}) =>
  evaluatePush(defaultPushRules(bob), one, context(changes));
const holds = (condition: PushCondition, one: Event, changes: Partial<PushContext> = {}) =>
  evaluatePush(ruleset({ conditions: [condition] }), one, context(changes)).notify;

function ruleset(rule: Partial<PushRule>): PushRuleset {
  const whole: PushRule = { rule_id: 'r', default: false, enabled: true, actions: ['notify'], ...rule };
  return { override: [whole], content: [], room: [], sender: [], underride: [] };
}

describe('the default rules', () => {
  const OUTCOMES: readonly (readonly [name: string, one: Event, ruleId: string | undefined, outcome: string])[] = [
    ['a message', text('hi'), '.m.rule.message', 'notify'],
    ['an encrypted event', event('m.room.encrypted', {}), '.m.rule.encrypted', 'notify'],
    ['a notice', event('m.room.message', { msgtype: 'm.notice', body: 'x' }), '.m.rule.suppress_notices', ''],
    ['a reaction', event('m.reaction', {}), '.m.rule.reaction', ''],
    ['an edit', text('* x', { 'm.relates_to': { rel_type: 'm.replace' } }), '.m.rule.suppress_edits', ''],
    ['a reply in a thread', text('x', { 'm.relates_to': { rel_type: 'm.thread' } }), '.m.rule.message', 'notify'],
    [
      'a mention',
      text('x', { 'm.mentions': { user_ids: ['@bob:x'] } }),
      '.m.rule.is_user_mention',
      'notify highlight default',
    ],
    ["another's mention", text('x', { 'm.mentions': { user_ids: ['@carl:x'] } }), '.m.rule.message', 'notify'],
    ['a room mention', text('x', { 'm.mentions': { room: true } }), '.m.rule.is_room_mention', 'notify highlight'],
    ['a name in the body', text('hi Bob'), '.m.rule.message', 'notify'],
    ['a call', event('m.call.invite', {}), '.m.rule.call', 'notify ring'],
    ['a tombstone', event('m.room.tombstone', {}, { state_key: '' }), '.m.rule.tombstone', 'notify highlight'],
    ['a tombstone that is no state', event('m.room.tombstone', {}), undefined, ''],
    ['a server ACL', event('m.room.server_acl', {}, { state_key: '' }), '.m.rule.room.server_acl', ''],
    ['a topic', event('m.room.topic', {}, { state_key: '' }), undefined, ''],
    [
      'an invite for me',
      event('m.room.member', { membership: 'invite' }, { state_key: '@bob:x' }),
      '.m.rule.invite_for_me',
      'notify default',
    ],
    [
      "another's invite",
      event('m.room.member', { membership: 'invite' }, { state_key: '@carl:x' }),
      '.m.rule.member_event',
      '',
    ],
    ['my own event', event('m.room.message', { body: 'x' }, { sender: '@bob:x' }), undefined, ''],
  ];

  for (const [name, one, ruleId, outcome] of OUTCOMES) {
    it(`make of ${name}: ${outcome === '' ? 'nothing' : outcome}`, () => {
      const verdict = withDefaults(one);
      assert.equal(verdict.ruleId, ruleId);
      const words = [verdict.notify ? 'notify' : '', verdict.highlight ? 'highlight' : '', verdict.sound ?? ''];
      assert.equal(words.filter((word) => word !== '').join(' '), outcome);
      const atOnce = evaluateDefaultPush(one, context());
      if (one.sender !== bob) assert.deepEqual(atOnce.particular.get(bob) ?? atOnce.others, verdict);
    });
  }

  it('sound in rooms of two', () => {
    assert.equal(withDefaults(text('hi'), { memberCount: 2 }).ruleId, '.m.rule.room_one_to_one');
    assert.equal(withDefaults(event('m.room.encrypted', {}), { memberCount: 2 }).sound, 'default');
  });

  it('do not let a room mention through without the power for it', () => {
    const powerLevels = { users: () => 0, notifications: () => 50 };
    assert.equal(withDefaults(text('x', { 'm.mentions': { room: true } }), { powerLevels }).ruleId, '.m.rule.message');
  });

  it('have no longer the mention rules that looked into the body', () => {
    const ids = Object.values(defaultPushRules(bob))
      .flat()
      .map((rule) => rule.rule_id);
    for (const gone of ['.m.rule.contains_display_name', '.m.rule.contains_user_name', '.m.rule.roomnotif']) {
      assert.ok(!ids.includes(gone));
    }
    assert.equal(ids[0], '.m.rule.master');
  });

  it('name only users who are mentioned or invited in particular', () => {
    const mentions = { 'm.mentions': { user_ids: ['@bob:x', '@bob:x', '@carl:x', 5, 'junk', '@alice:x'] } };
    assert.deepEqual([...evaluateDefaultPush(text('x', mentions), context()).particular.keys()], ['@bob:x', '@carl:x']);
    assert.equal(evaluateDefaultPush(text('x'), context()).particular.size, 0);
  });
});

describe('the rules of a user', () => {
  const own = (rule: Partial<PushRule>): PushRule => ({
    rule_id: 'mine',
    default: false,
    enabled: true,
    actions: ['notify'],
    ...rule,
  });

  it('go before the default ones, and the master rule before all', () => {
    const quiet = own({ rule_id: '@alice:x', actions: [] });
    const mine = pushRules(bob, { own: { sender: [quiet] }, defaults: new Map() });
    assert.equal(evaluatePush(mine, text('x'), context()).ruleId, '@alice:x');
    const off = pushRules(bob, {
      own: { override: [own({})] },
      defaults: new Map([['.m.rule.master', { enabled: true }]]),
    });
    assert.deepEqual(evaluatePush(off, text('x'), context()), {
      notify: false,
      highlight: false,
      tweaks: {},
      ruleId: '.m.rule.master',
    });
  });

  it('change actions of the default ones', () => {
    const changed = pushRules(bob, { own: {}, defaults: new Map([['.m.rule.message', { actions: [] }]]) });
    assert.equal(evaluatePush(changed, text('x'), context()).notify, false);
  });

  it('are checked by kind: override, content, room, sender, underride', () => {
    const all: PushRuleset = {
      override: [own({ rule_id: 'o', conditions: [{ kind: 'event_match', key: 'content.body', pattern: 'five' }] })],
      content: [own({ rule_id: 'c', pattern: 'four' })],
      room: [own({ rule_id: ROOM, enabled: false })],
      sender: [own({ rule_id: '@alice:x' })],
      underride: [own({ rule_id: 'u' })],
    };
    const ruleId = (set: PushRuleset, body: string) => evaluatePush(set, text(body), context()).ruleId;
    assert.equal(ruleId(all, 'four five'), 'o');
    assert.equal(ruleId(all, 'four'), 'c');
    assert.equal(ruleId(all, 'x'), '@alice:x');
    assert.equal(ruleId({ ...all, room: [own({ rule_id: ROOM })] }, 'x'), ROOM);
    assert.equal(ruleId({ ...all, sender: [] }, 'x'), 'u');
  });

  it('ignore actions they do not know, and dont_notify and coalesce', () => {
    const actions = [
      'dont_notify',
      'coalesce',
      'org.example',
      {},
      { set_tweak: 'highlight', value: false },
      { set_tweak: 'x', value: 1 },
    ];
    const verdict = evaluatePush(ruleset({ actions }), text('x'), context());
    assert.deepEqual(verdict, { notify: false, highlight: false, tweaks: { highlight: false, x: 1 }, ruleId: 'r' });
    assert.equal(evaluatePush(ruleset({ actions: ['coalesce', 'notify'] }), text('x'), context()).notify, true);
  });
});

describe('conditions', () => {
  it('event_match needs a string at the path', () => {
    const topic = (value: JsonObject) => event('m.room.topic', value);
    const condition = { kind: 'event_match', key: 'content.topic', pattern: 'lunc?*' };
    assert.ok(holds(condition, topic({ topic: 'Lunch plans' })) && holds(condition, topic({ topic: 'LUNCH' })));
    for (const value of [{ topic: ' lunch' }, { topic: 'lunc' }, { topic: null }, {}])
      assert.ok(!holds(condition, topic(value)));
    assert.ok(!holds({ kind: 'event_match', key: 'state_key', pattern: '*' }, text('x')));
    assert.ok(holds({ kind: 'event_match', key: 'room_id', pattern: ROOM }, text('x')));
  });

  it('event_match on the body looks for words', () => {
    const condition = { kind: 'event_match', key: 'content.body', pattern: 'ex*ple' };
    for (const body of ['An example event.', 'exple', 'An exciting triple-whammy'])
      assert.ok(holds(condition, text(body)), body);
    for (const body of ['examples', 'anexample', 'ex']) assert.ok(!holds(condition, text(body)), body);
  });

  it('event_property_is compares without casting', () => {
    const condition = { kind: 'event_property_is', key: 'content.m\\.federate', value: true };
    assert.ok(holds(condition, event('m.room.create', { 'm.federate': true })));
    for (const value of ['true', 1, null, [true]])
      assert.ok(!holds(condition, event('m.room.create', { 'm.federate': value })));
    assert.ok(holds({ ...condition, value: null }, event('x', { 'm.federate': null })));
    assert.ok(!holds({ ...condition, value: null }, event('x', {})));
    assert.ok(!holds({ kind: 'event_property_is', key: 'content.a', value: {} }, event('x', { a: {} })));
  });

  it('event_property_contains looks into arrays for the exact value', () => {
    const condition = { kind: 'event_property_contains', key: 'content.alt_aliases', value: '#myroom:example.com' };
    assert.ok(holds(condition, event('x', { alt_aliases: ['#a:b', '#myroom:example.com'] })));
    assert.ok(!holds({ ...condition, value: ':example.com' }, event('x', { alt_aliases: ['#myroom:example.com'] })));
    assert.ok(!holds(condition, event('x', { alt_aliases: '#myroom:example.com' })));
  });

  it('contains_display_name looks for the name as a word, and takes no character as special', () => {
    const condition = { kind: 'contains_display_name' };
    assert.ok(holds(condition, text('hello bob!')));
    assert.ok(!holds(condition, text('bobby')));
    assert.ok(!holds(condition, text('bob'), { displayName: 'b*' }));
    assert.ok(!holds(condition, text('bob'), { displayName: undefined }));
    assert.ok(!holds(condition, text('bob'), { displayName: '' }));
  });

  it('room_member_count compares', () => {
    const cases = {
      '3': true,
      '==3': true,
      '<3': false,
      '<4': true,
      '<=3': true,
      '>3': false,
      '>=3': true,
      '>2': true,
    };
    for (const [is, expected] of Object.entries(cases))
      assert.equal(holds({ kind: 'room_member_count', is }, text('x')), expected, is);
    for (const is of ['', '=3', '3.0', ' 3', '!3', '=='])
      assert.ok(!holds({ kind: 'room_member_count', is }, text('x')), is);
  });

  it('never hold where their kind is unknown or a parameter is missing', () => {
    assert.ok(!holds({ kind: 'device' }, text('x')));
    assert.ok(!holds({ kind: 'constructor' }, text('x')));
    for (const kind of ['event_match', 'event_property_is', 'room_member_count', 'sender_notification_permission']) {
      assert.ok(!holds({ kind }, text('x')), kind);
    }
  });
});

describe('globs', () => {
  it('match the whole or words, with * and ?', () => {
    assert.ok(
      globMatches('a*c', 'abbc') && globMatches('*', '') && globMatches('?', '😀') && globMatches('a.b', 'A.B'),
    );
    assert.ok(
      !globMatches('a*c', 'abcd') && !globMatches('?', '') && !globMatches('a.b', 'axb') && !globMatches('', 'a'),
    );
    assert.ok(globMatchesWords('cake*lie', 'the cake is a lie') && globMatchesWords('@room', 'hey @room!'));
    assert.ok(
      !globMatchesWords('@room', 'x@room') &&
        !globMatchesWords('cake', 'cupcake') &&
        globMatchesWords('caf?', 'un café'),
    );
    assert.ok(globMatchesWords('foo', 'foobar foo') && globMatchesWords('日本', '日本語'));
  });

  it('stay fast on patterns made to be slow', () => {
    const started = performance.now();
    assert.equal(globMatches(`${'*a'.repeat(50)}b`, 'a'.repeat(5000)), false);
    assert.equal(globMatchesWords(`${'*a'.repeat(50)}b`, 'a '.repeat(2500)), false);
    assert.ok(performance.now() - started < 2000);
  });

  it('cost little all together, whatever the rules and the message', () => {
    const longest = text('a '.repeat(30_000));
    const patterns = ['*a'.repeat(500), 'a?'.repeat(500), 'a'.repeat(1000), 'a '.repeat(500)].map(
      (start) => `${start}b`,
    );
    const content = Array.from({ length: 1000 }, (_, i) => ({
      rule_id: `${i}`,
      default: false,
      enabled: true,
      actions: ['notify'],
      pattern: patterns[i % patterns.length] ?? '',
    }));
    const started = performance.now();
    const { notify } = evaluatePush({ ...ruleset({ enabled: false }), content }, longest, context());
    assert.equal(notify, false);
    assert.ok(performance.now() - started < 1000);
  });

  it('find words in a long message still', () => {
    const content = Array.from({ length: 30 }, (_, i) => ({
      rule_id: `${i}`,
      default: false,
      enabled: true,
      actions: ['notify'],
      pattern: i === 29 ? 'end of*story' : `keyword${i}*`,
    }));
    const one = text(`${'blah '.repeat(10_000)} end of the story`);
    assert.equal(evaluatePush({ ...ruleset({ enabled: false }), content }, one, context()).ruleId, '29');
  });
});

describe('property paths', () => {
  it('split at dots that are not escaped', () => {
    assert.deepEqual(splitPropertyPath('content.m\\.relates_to.rel_type'), ['content', 'm.relates_to', 'rel_type']);
    assert.deepEqual(splitPropertyPath('content.m\\\\foo'), ['content', 'm\\foo']);
    assert.deepEqual(splitPropertyPath('a\\x'), ['a\\x']);
    assert.deepEqual(splitPropertyPath(''), ['']);
  });

  it('never reach a prototype', () => {
    const pdu: Pdu = text('x').pdu;
    assert.equal(typeof pdu.constructor, 'function');
    assert.ok(!holds({ kind: 'event_match', key: 'constructor.name', pattern: 'Object' }, text('x')));
  });
});
