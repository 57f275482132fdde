import { hash } from 'node:crypto';

/** The SHA-256 of a text's UTF-8, in unpadded base64. */
export function sha256Base64(text: string): string {
  return hash('sha256', text, 'base64').slice(0, 43);
}

/** The SHA-256 of a text's UTF-8, in URL-safe unpadded base64. */
export function sha256Base64Url(text: string): string {
  return hash('sha256', text, 'base64url');
}
