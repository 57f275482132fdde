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
import 'hydrogen-view-sdk/theme-element-light.css';

async function start(container: HTMLElement): Promise<void> {
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

const container = document.getElementById('app');
if (!container) throw new Error('The page has no #app element');
start(container).catch((error: unknown) => {
  container.textContent = `The chat could not start: ${error instanceof Error ? error.message : String(error)}`;
});
