/** Delayed events (MSC4140). */
export { DELAYED_ACTIONS, type DelayedAction, DelayedEvents, type DelayedWish } from './delayed-events.ts';
export { type DelayedFilter, type DelayedRow, type DelayedStatus, delayedEventsMigrations } from './store.ts';
