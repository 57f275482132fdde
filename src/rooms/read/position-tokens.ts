/**
 * Tokens of places in a room's timeline. A position stands for the gap behind the event at it, so a token can be used in both
 * directions, and those of `/sync` (whose events component means the same) are taken too.
 */
import { invalidParam } from '../../protocol/errors.ts';

const TIMELINE_TOKEN = /^t(-?[0-9]{1,16})$/;
const SYNC_TOKEN = /^s([0-9]{1,16})(?:_[0-9]{1,16})*$/;

/** `t<position>`, as in `prev_batch`, `start` and `end`. */
export function timelineToken(position: number): string {
  return `t${position}`;
}

/** The position that a token of the timeline or of `/sync` stands for. @throws M_INVALID_PARAM */
export function parsePosition(token: string): number {
  const digits = TIMELINE_TOKEN.exec(token)?.[1] ?? SYNC_TOKEN.exec(token)?.[1];
  if (digits === undefined) throw invalidParam('Not a token of a timeline');
  return Number(digits);
}
