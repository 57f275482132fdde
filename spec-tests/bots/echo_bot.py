"""A bot on matrix-nio: joins where it is invited and repeats, encrypted, what it could decrypt.

    echo_bot.py BASE_URL USER_ID PASSWORD STORE_FOLDER
"""

import asyncio
import sys

from nio import AsyncClient, AsyncClientConfig, InviteMemberEvent, LoginResponse, MegolmEvent, RoomMessageText

BASE_URL, USER_ID, PASSWORD, STORE = sys.argv[1:5]


async def main():
    config = AsyncClientConfig(store_sync_tokens=True, encryption_enabled=True)
    client = AsyncClient(BASE_URL, USER_ID, store_path=STORE, config=config)

    async def on_message(room, event):
        if event.sender != client.user_id and event.decrypted:
            content = {"msgtype": "m.text", "body": f"echo: {event.body}"}
            await client.room_send(room.room_id, "m.room.message", content, ignore_unverified_devices=True)

    async def on_undecryptable(_room, event):
        print(f"can't decrypt {event.event_id}", flush=True)

    async def on_invite(room, event):
        if event.state_key == client.user_id and event.membership == "invite":
            await client.join(room.room_id)

    client.add_event_callback(on_message, RoomMessageText)
    client.add_event_callback(on_undecryptable, MegolmEvent)
    client.add_event_callback(on_invite, InviteMemberEvent)
    answer = await client.login(PASSWORD)
    if not isinstance(answer, LoginResponse):
        sys.exit(f"can't log in: {answer}")
    print("ready", flush=True)
    await client.sync_forever(timeout=30000, full_state=True)


asyncio.run(main())
