/** What the server and its picture processes say to each other. */

export type PictureTask =
  | { readonly do: 'probe'; readonly input: string; readonly pixelsMax: number }
  | {
      readonly do: 'make';
      readonly input: string;
      readonly output: string;
      readonly width: number;
      readonly height: number;
      readonly method: 'crop' | 'scale';
      readonly isAnimated: boolean;
      readonly pixelsMax: number;
    }
  | { readonly do: 'strip'; readonly input: string; readonly output: string };

/** What a picture is. */
export interface Probed {
  /** undefined: not a picture that we can read. */
  readonly format: string | undefined;
  readonly width: number;
  readonly height: number;
  readonly frameCount: number;
}

export type PictureAnswer =
  | { readonly isStripped: boolean }
  | { readonly probed: Probed }
  | { readonly contentType: string }
  | { readonly error: string };
