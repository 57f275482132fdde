import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRoomId } from '../ids/index.ts';
import type { JsonObject } from '../json/index.ts';
import { acceptsEverything, isBadFilter, matchesEvent, matchesRoom, matchesRoomEvent, parseFilter } from './index.ts';

function filterOf(json: JsonObject) {
  const filter = parseFilter(json);
  if (isBadFilter(filter)) throw new Error(filter.problem);
  return filter;
}

const timelineOf = (json: JsonObject) => filterOf({ room: { timeline: json } }).room.timeline;

describe('filters', () => {
  it('let everything pass when they are empty', () => {
    const filter = filterOf({});
    assert.equal(acceptsEverything(filter.room.timeline), true);
    assert.equal(matchesEvent(filter.presence, 'm.presence', '@a:b'), true);
    assert.equal(filter.eventFields, undefined);
    assert.equal(filter.room.includeLeave, false);
  });

  it('take stars in types for any sequence of characters', () => {
    const timeline = timelineOf({ types: ['m.room.*', 'a*b*c', 'exact'] });
    for (const type of ['m.room.', 'm.room.message', 'abc', 'aXbYc', 'abbcc', 'exact']) {
      assert.equal(matchesEvent(timeline, type, '@a:b'), true, type);
    }
    for (const type of ['m.roo', 'xm.room.x', 'ab', 'acb', 'exactly']) {
      assert.equal(matchesEvent(timeline, type, '@a:b'), false, type);
    }
  });

  it('do not count the same characters for two parts of a pattern', () => {
    const timeline = timelineOf({ types: ['ab*ba', '*x*x'] });
    assert.equal(matchesEvent(timeline, 'aba', '@a:b'), false);
    assert.equal(matchesEvent(timeline, 'abba', '@a:b'), true);
    assert.equal(matchesEvent(timeline, 'x', '@a:b'), false);
    assert.equal(matchesEvent(timeline, 'xx', '@a:b'), true);
  });

  it('exclude what stands in both lists', () => {
    const timeline = timelineOf({ types: ['a'], not_types: ['a'], senders: ['@a:b'], not_senders: ['@c:d'] });
    assert.equal(matchesEvent(timeline, 'a', '@a:b'), false);
    const senders = timelineOf({ senders: ['@a:b', '@c:d'], not_senders: ['@c:d'] });
    assert.equal(matchesEvent(senders, 'a', '@a:b'), true);
    assert.equal(matchesEvent(senders, 'a', '@c:d'), false);
  });

  it('let nothing pass where a list is given and empty', () => {
    assert.equal(matchesEvent(timelineOf({ types: [] }), 'a', '@a:b'), false);
    assert.equal(matchesEvent(timelineOf({ not_types: [] }), 'a', '@a:b'), true);
    const room = parseRoomId('!r:b');
    assert.ok(room);
    assert.equal(matchesRoom(filterOf({ room: { rooms: [] } }).room, room), false);
    assert.equal(matchesRoom(filterOf({ room: { rooms: ['!r:b'], not_rooms: ['!r:b'] } }).room, room), false);
  });

  it('look for a url in the content', () => {
    const event = (content: object) => ({ type: 'm.room.message', sender: '@a:b', content });
    assert.equal(matchesRoomEvent(timelineOf({ contains_url: true }), event({ url: 'mxc://a/b' })), true);
    assert.equal(matchesRoomEvent(timelineOf({ contains_url: true }), event({})), false);
    assert.equal(matchesRoomEvent(timelineOf({ contains_url: false }), event({ url: 'mxc://a/b' })), false);
  });

  it('look at the relation of an event', () => {
    const thread = { type: 'm', sender: '@a:b', content: { 'm.relates_to': { rel_type: 'm.thread' } } };
    const plain = { type: 'm', sender: '@a:b', content: {} };
    const only = timelineOf({ 'org.matrix.msc3874.rel_types': ['m.thread'] });
    const without = timelineOf({ not_rel_types: ['m.thread'] });
    assert.deepEqual([matchesRoomEvent(only, thread), matchesRoomEvent(only, plain)], [true, false]);
    assert.deepEqual([matchesRoomEvent(without, thread), matchesRoomEvent(without, plain)], [false, true]);
  });

  it('split the paths of fields at dots that are not escaped', () => {
    assert.deepEqual(filterOf({ event_fields: ['content.m\\.relates_to.x', 'type'] }).eventFields, [
      ['content', 'm.relates_to', 'x'],
      ['type'],
    ]);
  });

  it('are refused where a field has the wrong type, and say which', () => {
    const bad: [JsonObject, RegExp][] = [
      [{ room: { timeline: { limit: -1 } } }, /^room\.timeline\.limit/],
      [{ room: { timeline: { limit: '5' } } }, /^room\.timeline\.limit/],
      [{ room: { state: { senders: ['alice'] } } }, /^room\.state\.senders\.0: not a user id/],
      [{ room: { rooms: ['@a:b'] } }, /^room\.rooms\.0: not a room id/],
      [{ event_format: 'other' }, /^event_format/],
      [{ presence: [] }, /^presence/],
    ];
    for (const [json, problem] of bad) {
      const filter = parseFilter(json);
      assert.ok(isBadFilter(filter), JSON.stringify(json));
      assert.match(filter.problem, problem);
    }
  });

  it('have the same key where they say the same', () => {
    assert.equal(
      filterOf({ event_format: 'client', event_fields: ['a'] }).key,
      filterOf({ event_fields: ['a'], event_format: 'client' }).key,
    );
  });
});
