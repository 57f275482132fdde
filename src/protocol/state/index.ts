/** Room state: maps of it, and the resolution of several states into one. */
export { MissingEventError, type ResolutionInputs } from './inputs.ts';
export { missingForResolution } from './missing.ts';
export { resolveConflicts, resolveState, splitForResolution } from './resolve.ts';
export type { SplitState } from './split.ts';
export { type StateKey, type StateMap, splitStateKey, stateKeyOf } from './state-map.ts';
export type { ResolutionPhase, ResolutionStep, ResolutionTrace } from './trace.ts';
