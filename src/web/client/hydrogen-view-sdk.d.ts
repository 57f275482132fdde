/** The little of Hydrogen's SDK that the host page touches; the package ships no types that fit its entry point. */
declare module 'hydrogen-view-sdk' {
  export interface Navigation {
    readonly path: unknown;
  }
  export interface Router {
    attach(): void;
  }
  export interface PlatformOptions {
    readonly container: HTMLElement;
    readonly assetPaths: unknown;
    readonly config: Readonly<Record<string, unknown>>;
    readonly options?: { readonly development: boolean };
  }
  export class Platform {
    constructor(options: PlatformOptions);
    readonly history: unknown;
    readonly settingsStorage: unknown;
    init(): Promise<void>;
    setNavigation(navigation: Navigation): void;
    createAndMountRootView(viewModel: RootViewModel): void;
  }
  export interface FeatureSet {
    readonly calls: boolean;
  }
  export const FeatureSet: { load(settingsStorage: unknown): Promise<FeatureSet> };
  export class RootViewModel {
    constructor(options: {
      readonly platform: Platform;
      readonly navigation: Navigation;
      readonly urlRouter: Router;
      readonly urlCreator: Router;
      readonly features: FeatureSet;
    });
    load(): Promise<void>;
  }
  export function createNavigation(): Navigation;
  export function createRouter(options: { readonly navigation: Navigation; readonly history: unknown }): Router;
}

declare module '*?url' {
  const url: string;
  export default url;
}

declare module '*.css' {}
