/**
 * The host page of the web client in the box: puts Hydrogen's `Platform`, `RootViewModel` and `RootView` together and
 * points its log-in form at the homeserver that served the page.
 */
import olmUrl from '@matrix-org/olm/olm.js?url';
import olmWasmUrl from '@matrix-org/olm/olm.wasm?url';
import olmLegacyUrl from '@matrix-org/olm/olm_legacy.js?url';
import { createNavigation, createRouter, FeatureSet, Platform, RootViewModel } from 'hydrogen-view-sdk';
import downloadSandboxUrl from 'hydrogen-view-sdk/download-sandbox.html?url';
import workerUrl from 'hydrogen-view-sdk/main.js?url';
import darkThemeUrl from 'hydrogen-view-sdk/theme-element-dark.css?url';
import lightThemeUrl from 'hydrogen-view-sdk/theme-element-light.css?url';
import './host.css';

/** Hydrogen's themes, after the system's choice; resolves when the page can be drawn. */
async function loadThemes(): Promise<void> {
  const themes = [
    { href: lightThemeUrl, media: '(prefers-color-scheme: light)' },
    { href: darkThemeUrl, media: '(prefers-color-scheme: dark)' },
  ];
  await Promise.all(themes.map(loadStylesheet));
}

function loadStylesheet({ href, media }: { readonly href: string; readonly media: string }): Promise<void> {
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href, media });
  return new Promise((resolve, reject) => {
    link.addEventListener('load', () => resolve());
    link.addEventListener('error', () => reject(new Error(`${href} could not be loaded`)));
    document.head.append(link);
  });
}

async function start(container: HTMLElement): Promise<void> {
  if (!window.isSecureContext) {
    throw new Error('browsers allow it only at addresses that begin with https:// or with http://localhost');
  }
  await loadThemes();
  const platform = new Platform({
    container,
    assetPaths: {
      downloadSandbox: downloadSandboxUrl,
      worker: workerUrl,
      olm: { wasm: olmWasmUrl, wasmBundle: olmUrl, legacyBundle: olmLegacyUrl },
      serviceWorker: 'sw.js',
    },
    config: { defaultHomeServer: window.location.origin },
  });
  const navigation = createNavigation();
  platform.setNavigation(navigation);
  await platform.init();
  const router = createRouter({ navigation, history: platform.history });
  router.attach();
  const viewModel = new RootViewModel({
    platform,
    navigation,
    urlRouter: router,
    urlCreator: router,
    features: await FeatureSet.load(platform.settingsStorage),
  });
  platform.createAndMountRootView(viewModel);
  await viewModel.load();
}

start(document.body).catch((error: unknown) => {
  const message = document.createElement('p');
  message.className = 'host-message';
  message.setAttribute('role', 'alert');
  message.textContent = `The chat can’t start: ${error instanceof Error ? error.message : String(error)}.`;
  document.body.replaceChildren(message);
});
