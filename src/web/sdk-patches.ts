/** What has to be mended in Hydrogen's SDK while it is bundled. The package is pinned: each patch must still apply. */
import type { Plugin } from 'vite';

interface Patch {
  readonly why: string;
  /** Occurs exactly once in the SDK. */
  readonly find: string;
  readonly replace: string;
}

const PATCHES: readonly Patch[] = [
  {
    why: 'a new room opens at once: its making became asynchronous, and this place did not learn of it',
    find: 'const roomBeingCreated = this._session.createRoom({\n      type: this.isPublic ?',
    replace: 'const roomBeingCreated = await this._session.createRoom({\n      type: this.isPublic ?',
  },
  {
    why: 'belongs to the former',
    find: '  create() {\n    var _a, _b;\n    let avatar;',
    replace: '  async create() {\n    var _a, _b;\n    let avatar;',
  },
  {
    why: 'an encrypted picture is fetched once: in a short timeline each arrival led to the next fetch, without end',
    find: '    if (!this.isPending) {\n      this._tryLoadEncryptedThumbnail();',
    replace:
      '    if (!this.isPending && !this._triedEncrypted) {\n      this._triedEncrypted = true;\n      this._tryLoadEncryptedThumbnail();',
  },
  {
    why: 'an invitation has no side panel: one that stood open failed for want of a room',
    find: 'const room = this._roomFromNavigation();\n      this._rightPanelViewModel =',
    replace: 'const room = this._roomFromNavigation();\n      if (room) this._rightPanelViewModel =',
  },
  {
    why: 'browsers know no such flag any more, and say so in the console at the first file that is saved',
    find: 'allow-scripts allow-downloads allow-downloads-without-user-activation',
    replace: 'allow-scripts allow-downloads',
  },
  {
    why: 'the button opens a file on the machine that built the SDK',
    find: 'logButtons.push(t.button({ onClick: () => openLogs(vm) }, "Open logs"));',
    replace: '',
  },
];

/** The vite plugin that applies the patches; fails the build where one does not apply. */
export function sdkPatches(): Plugin {
  return {
    name: 'inglenook:sdk-patches',
    transform(code, id) {
      return id.endsWith('/hydrogen-view-sdk/lib-build/hydrogen.es.js') ? PATCHES.reduce(applyPatch, code) : undefined;
    },
  };
}

function applyPatch(code: string, { why, find, replace }: Patch): string {
  const parts = code.split(find);
  if (parts.length !== 2) throw new Error(`a patch of hydrogen-view-sdk no longer applies (${why})`);
  return parts.join(replace);
}
