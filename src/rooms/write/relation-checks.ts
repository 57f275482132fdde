/** Checks of what an event says about another one, before it is sent. */
import { MatrixError } from '../../protocol/errors.ts';
import { hasRelType, relationOf } from '../../protocol/event/index.ts';
import type { EventId, UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import { type EventReader, hasAnnotation } from '../store/index.ts';

/** An annotation that somebody wants to send. */
export interface Annotation {
  readonly relatesTo: EventId;
  readonly type: string;
  readonly key: string;
  readonly sender: UserId;
}

/** What of an event that somebody wants to send is looked at. */
interface Sent {
  readonly type: string;
  readonly sender: UserId;
  readonly content: JsonObject;
}

/** A name that only equal annotations have. */
export function nameOf({ relatesTo, type, key, sender }: Annotation): string {
  return JSON.stringify([relatesTo, type, key, sender]);
}

/** The annotation that an event is, or undefined. */
export function annotationOf({ type, sender, content }: Sent): Annotation | undefined {
  const relation = relationOf({ content });
  if (relation?.relType !== 'm.annotation' || relation.key === null) return undefined;
  return { relatesTo: relation.relatesTo, type, key: relation.key, sender };
}

/**
 * Refuses an annotation that the sender has made already, and a thread that would begin with an event which itself relates to
 * another one. What relates to an event that we don't know is let through.
 * Spec: client-server-api/#avoiding-duplicate-annotations, client-server-api/#validation-of-mthread-relationships
 * @throws MatrixError 400 `M_DUPLICATE_ANNOTATION`, `M_UNKNOWN`
 */
export async function assertMayRelate(tx: ReadTx, reader: EventReader, sent: Sent): Promise<void> {
  const annotation = annotationOf(sent);
  if (annotation !== undefined && (await hasAnnotation(tx, annotation))) throw duplicateAnnotation();
  const relation = relationOf(sent);
  if (relation?.relType !== 'm.thread') return;
  const [root] = await reader.byIds(tx, [relation.relatesTo]);
  if (root !== undefined && hasRelType(root.event)) {
    throw new MatrixError('M_UNKNOWN', 'A thread cannot begin with an event that relates to another one', {
      status: 400,
    });
  }
}

function duplicateAnnotation(): MatrixError {
  return new MatrixError('M_DUPLICATE_ANNOTATION', 'You have annotated this event with the same key');
}
