import { invalidParam } from '../../protocol/errors.ts';
import { parseTimelineToken } from '../../streams/index.ts';

/** The position that a token of the timeline or of `/sync` stands for. @throws M_INVALID_PARAM */
export function parsePosition(token: string): number {
  const position = parseTimelineToken(token);
  if (position === undefined) throw invalidParam('Not a token of a timeline');
  return position;
}
