"""An operator shows and erases what is kept of a number, through the door of a connector that runs."""

from typing import Any

from tests.api.world import NUMBER, SECRETS, World


async def _ask(door: World, what: str, body: Any) -> Any:
    async with door.caller(SECRETS["SHOP"]) as caller:
        return await caller.post(f"/v1/privacy/{what}", json=body)


async def test_an_export_shows_the_rows_of_a_number(door: World) -> None:
    await door.post({"to": NUMBER, "text": "only for you", "client_ref": "order-1"})
    await door.post({"to": "+447911123457", "text": "for another"})
    shown = (await _ask(door, "export", {"number": "07911 123456"})).json()
    assert shown["number"] == NUMBER[1:]
    [message] = [row for row in shown["rows"] if row["table"] == "message"]
    assert (message["text"], len(message["parts"])) == ("only for you", 1)


async def test_an_erasure_leaves_what_is_under_way_and_says_so(door: World) -> None:
    sent = (await door.post({"to": NUMBER, "text": "only for you"})).json()
    done = (await _ask(door, "erase", {"number": NUMBER})).json()
    assert (done["messages"], done["live"], done["clean"]) == (0, 1, False)
    assert done["under_way"] == [sent["id"]]
    async with door.caller() as caller:
        await caller.post(f"/v1/messages/{sent['id']}/cancel")
    done = (await _ask(door, "erase", {"number": NUMBER})).json()
    counts = {"messages": 1, "receipts": 0, "inbound": 0, "live": 0, "receipts_left": 0}
    assert done == {**counts, "under_way": [], "clean": True}


async def test_an_erased_message_is_still_found_by_its_number(door: World) -> None:
    sent = (await door.post({"to": NUMBER, "text": "only for you"})).json()
    async with door.caller() as caller:
        await caller.post(f"/v1/messages/{sent['id']}/cancel")
    await _ask(door, "erase", {"number": NUMBER})
    [found] = (await door.get(f"/v1/messages?to={NUMBER[1:]}")).json()["messages"]
    assert (found["id"], found["status"], found["to"][0]) == (sent["id"], "cancelled", "#")
    assert NUMBER[1:] not in (await door.get(f"/v1/messages/{sent['id']}")).text


async def test_what_is_no_number_is_refused(door: World) -> None:
    for body, status in (({"number": "Ann"}, 422), ({"to": NUMBER}, 400), ([NUMBER], 400)):
        assert (await _ask(door, "erase", body)).status_code == status
