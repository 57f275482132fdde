/** The package brings no types. */
declare module 'canonicaljson' {
  export function stringify(value: unknown): string;
}
