/** Somebody in front of a browser: does by mouse and keyboard what people do in our pages and in Hydrogen. */
import { readFile } from 'node:fs/promises';
import type { Locator, Page } from 'playwright-core';
import { screenshot, type TestBrowser } from './chromium.ts';
import { collectProblems } from './problems.ts';

/** What of an image element is looked at. */
interface LoadedImage {
  readonly naturalWidth: number;
  readonly naturalHeight: number;
  decode(): Promise<void>;
}

export class Person {
  readonly name: string;
  readonly page: Page;
  /** What went wrong in the page so far. */
  readonly problems: string[];
  readonly #baseUrl: string;

  readonly password: string;

  private constructor(name: string, page: Page, baseUrl: string, password: string) {
    this.name = name;
    this.password = password;
    this.page = page;
    this.problems = collectProblems(page);
    this.#baseUrl = baseUrl;
  }

  /** Sits down at an empty browser. */
  static async arrive(
    browser: TestBrowser,
    name: string,
    baseUrl: string,
    password = `the password of ${name}`,
  ): Promise<Person> {
    return new Person(name, await browser.newPage(), baseUrl, password);
  }

  /** Opens a path of the server. */
  async open(target: string): Promise<void> {
    await this.page.goto(this.#baseUrl + target);
  }

  /** Registers by our form, as it stands open. */
  async fillRegistration(): Promise<void> {
    await this.page.getByLabel('User name').fill(this.name);
    await this.page.getByLabel('Password', { exact: true }).fill(this.password);
    await this.page.getByLabel('Password, once more').fill(this.password);
    await this.page.getByRole('button', { name: 'Make the account' }).click();
  }

  /** Signs in with Hydrogen, as its form stands open; resolves when the room list is there. */
  async logIn(): Promise<void> {
    await this.page.getByLabel('Username').fill(this.name);
    await this.page.getByLabel('Password').fill(this.password);
    await this.page.getByRole('button', { name: 'Log In' }).click();
    await this.page.locator('.SessionView .LeftPanel').waitFor();
  }

  /** From nothing to the room list. */
  async registerAndLogIn(): Promise<void> {
    await this.open('/_web/register');
    await this.fillRegistration();
    await this.page.getByRole('link', { name: 'Sign in and chat' }).click();
    await this.logIn();
  }

  /** Makes a room by Hydrogen's form and opens it. */
  async createRoom(name: string, { alias }: { readonly alias?: string } = {}): Promise<void> {
    await this.#newRoomMenu('Create Room');
    await this.page.getByLabel('Room name').fill(name);
    if (alias !== undefined) {
      await this.page.getByLabel('Public room, anyone can join').check();
      await this.page.getByLabel('Room alias').fill(alias);
    }
    await this.page.locator('.CreateRoomView button[type=submit]').click();
    await this.composer.waitFor();
  }

  /** Joins a room by its id or alias. */
  async joinRoom(alias: string): Promise<void> {
    await this.#newRoomMenu('Join Room');
    await this.page.getByLabel('Room id').fill(alias);
    await this.page.locator('.JoinRoomView button[type=submit]').click();
    await this.composer.waitFor();
  }

  /** Opens the side panel with the room's members. */
  async openMembers(): Promise<void> {
    await this.page.getByRole('button', { name: 'Room options' }).click();
    await this.#pick('Room details');
    await this.page.getByRole('button', { name: 'People' }).click();
    await this.page.locator('.MemberListView').waitFor();
  }

  /** Invites by the members' panel. */
  async invite(userId: string): Promise<void> {
    await this.openMembers();
    await this.page.getByRole('button', { name: 'Invite to this room' }).click();
    await this.page.getByPlaceholder('Enter user-id of user').fill(userId);
    await this.page.locator('.InvitePanelView__btn').click();
  }

  /** Opens the key backup of the account by its recovery key, in Hydrogen's settings; resolves when that is done. */
  async unlockBackup(recoveryKey: string): Promise<void> {
    await this.page.getByRole('link', { name: 'Settings' }).click();
    const useKey = this.page.getByRole('button', { name: 'use your security key' });
    const field = this.page.getByPlaceholder('Security key');
    await useKey.or(field).first().waitFor();
    if (await useKey.isVisible()) await useKey.click();
    await field.fill(recoveryKey);
    await this.page.locator('p').filter({ has: field }).getByRole('button').click();
    await this.page.getByText('Key backup is enabled').waitFor();
  }

  /** Opens a room of the room list. */
  async openRoom(name: string): Promise<void> {
    await this.roomTile(name).click();
    await this.page.locator('.RoomHeader h2').filter({ hasText: name }).waitFor();
  }

  /** Accepts an invitation that stands in the room list. */
  async acceptInvite(roomName: string): Promise<void> {
    await this.openRoom(roomName);
    await this.page.getByRole('button', { name: 'Accept' }).click();
    await this.composer.waitFor();
  }

  /** Writes into the open room; resolves when the server has it. */
  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press('Enter');
    await this.message(text).and(this.page.locator(':not(.unsent)')).waitFor();
  }

  /** Sends a picture into the open room. */
  async sendPicture(name: string, png: Buffer): Promise<void> {
    await this.#send('Send picture', { name, mimeType: 'image/png', buffer: png });
  }

  /** Sends a file into the open room. */
  async sendFile(name: string, bytes: Buffer): Promise<void> {
    await this.#send('Send file', { name, mimeType: 'application/zip', buffer: bytes });
  }

  async #send(choice: string, file: { readonly name: string; readonly mimeType: string; readonly buffer: Buffer }) {
    await this.page.getByRole('button', { name: 'Send file' }).click();
    const chooser = this.page.waitForEvent('filechooser');
    await this.#pick(choice);
    await (await chooser).setFiles(file);
  }

  /** Downloads a file of the open room: the name under which the browser saves it, and its bytes. */
  async downloadFile(name: string): Promise<{ readonly savedAs: string; readonly bytes: Buffer }> {
    const saving = this.page.waitForEvent('download');
    await this.page
      .locator('.Timeline')
      .getByRole('button', { name: `Download ${name}` })
      .last()
      .click();
    const saved = await saving;
    return { savedAs: saved.suggestedFilename(), bytes: await readFile(await saved.path()) };
  }

  /** The size in pixels of the open room's last picture, when it has come; of its thumbnail, where the server makes one. */
  async sizeOfPicture(): Promise<{ readonly width: number; readonly height: number }> {
    const picture = this.page.locator('.Timeline .media img[src*="/"]').last();
    await picture.waitFor();
    return picture.evaluate(async (image: LoadedImage) => {
      await image.decode();
      return { width: image.naturalWidth, height: image.naturalHeight };
    });
  }

  /** Waits until a message is on the screen. */
  async sees(text: string): Promise<void> {
    await this.message(text).waitFor();
  }

  /** Opens the menu of a message and picks from it. */
  async onMessage(text: string, choice: string): Promise<void> {
    await this.message(text).hover();
    await this.message(text).locator('.Timeline_messageOptions').click();
    await this.#pick(choice);
  }

  /** The line of the open room that holds this text. */
  message(text: string): Locator {
    return this.page.locator('.Timeline li.Timeline_message').filter({ hasText: text });
  }

  /** A room's line in the room list. */
  roomTile(name: string): Locator {
    return this.page.locator('.RoomList li').filter({ hasText: name });
  }

  get composer(): Locator {
    return this.page.locator('.MessageComposer textarea');
  }

  screenshot(name: string): Promise<void> {
    return screenshot(this.page, name);
  }

  async #newRoomMenu(choice: string): Promise<void> {
    await this.page.locator('.LeftPanel .utilities .button-utility.create').click();
    await this.#pick(choice);
  }

  /** Picks from the menu that is open. */
  async #pick(choice: string): Promise<void> {
    await this.page.locator('.popupContainer').getByRole('button', { name: choice, exact: true }).click();
  }
}
