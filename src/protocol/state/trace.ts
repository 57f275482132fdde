import type { Verdict } from '../auth/index.ts';
import type { EventId } from '../ids/index.ts';
import type { StateKey } from './state-map.ts';

/** The part of the algorithm that looked at a candidate. v1 goes by kind of event, v2 has two rounds. */
export type ResolutionPhase = 'power_levels' | 'join_rules' | 'members' | 'others' | 'power events' | 'mainline';

/** One candidate was looked at: it took its place in the state for now, or was refused by a rule. */
export interface ResolutionStep {
  readonly phase: ResolutionPhase;
  readonly eventId: EventId;
  readonly key: StateKey;
  /** A later allowed candidate of the same key, and unconflicted state, still wins over an allowed one. */
  readonly verdict: Verdict;
}

/** Told every step of a resolution in order, to explain it. */
export type ResolutionTrace = (step: ResolutionStep) => void;
