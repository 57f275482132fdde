import type { EventId } from '../ids/index.ts';
import { needAuthEventIds, type ResolutionInputs } from './inputs.ts';
import { conflictedStateSet, type SplitState } from './split.ts';

/** The auth events of an event, from wherever they are kept. */
export type AuthEdges = (id: EventId) => readonly EventId[];

/**
 * The auth difference: what is in the full auth chain of some states, but not of all.
 * Spec: rooms/v2/#definitions, "auth difference"
 */
export function authDifference(split: SplitState, inputs: ResolutionInputs): Set<EventId> {
  const edges: AuthEdges = (id) => needAuthEventIds(inputs, id);
  const difference = conflictedChainsDifference(split, edges);
  removeAuthChains(difference, split.unconflicted.values(), edges);
  return difference;
}

/**
 * What is in the auth chains of the conflicted events of some states, but not of all. It is the auth difference and
 * perhaps more: what agreed events have in their chains is in the chains of all states. In most resolutions this set is
 * small or empty, so that the chains of agreed events, of which a big room has many, hardly have to be walked.
 */
export function conflictedChainsDifference(split: SplitState, edges: AuthEdges): Set<EventId> {
  const counts = new Map<EventId, number>();
  for (const state of split.conflicted) {
    for (const id of walkAuthChains(state.values(), edges)) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const difference = new Set<EventId>();
  for (const [id, count] of counts) if (count < split.conflicted.length) difference.add(id);
  return difference;
}

/** Takes out of `from` all that is in the auth chains of `ids`, and ends when nothing is left. */
export function removeAuthChains(from: Set<EventId>, ids: Iterable<EventId>, edges: AuthEdges): void {
  if (from.size === 0) return;
  for (const id of walkAuthChains(ids, edges)) {
    if (from.delete(id) && from.size === 0) return;
  }
}

/**
 * The conflicted state subgraph: everything on a path of auth events from one conflicted event to another, both ends
 * included.
 * Spec: rooms/v12/#definitions, "conflicted state subgraph"
 */
export function conflictedSubgraph(split: SplitState, inputs: ResolutionInputs): Set<EventId> {
  const conflicted = conflictedStateSet(split);
  const subgraph = new Set<EventId>();
  const visited = new Set<EventId>();
  // Depth first with an own stack; an event is judged when all its auth events have been.
  const stack: { readonly id: EventId; readonly authEventIds: readonly EventId[]; next: number }[] = [];
  const enter = (id: EventId): void => {
    visited.add(id);
    if (conflicted.has(id)) subgraph.add(id);
    stack.push({ id, authEventIds: needAuthEventIds(inputs, id), next: 0 });
  };
  for (const start of conflicted) {
    if (!visited.has(start)) enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const authEventId = top.authEventIds[top.next];
      top.next += 1;
      if (authEventId === undefined) {
        if (top.authEventIds.some((id) => subgraph.has(id))) subgraph.add(top.id);
        stack.pop();
      } else if (!visited.has(authEventId)) {
        enter(authEventId);
      }
    }
  }
  return subgraph;
}

/**
 * Yields each event of the auth chains of `starts` once: their auth events and everything behind those. A start itself
 * only where it is in the chain of another.
 */
export function* walkAuthChains(starts: Iterable<EventId>, edges: AuthEdges): Generator<EventId, void, undefined> {
  const seen = new Set<EventId>();
  const stack: EventId[] = [];
  for (const start of starts) {
    if (seen.has(start)) continue;
    stack.push(start);
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      for (const authEventId of edges(id)) {
        if (seen.has(authEventId)) continue;
        seen.add(authEventId);
        stack.push(authEventId);
        yield authEventId;
      }
    }
  }
}
