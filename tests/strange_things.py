"""What is strange: values of addresses and forms, forms that are none, and headers.

Beside them stands what is meant, since more than the first thing that is looked at has to be reached.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from portal_accounts import PASSWORD
from portal_results import TENANT

SCRIPT = "\"'><script>alert(1)</script>' OR 1=1 -- %_{{7*7}}%s{0.__class__}"
#: Bytes as they stand in an address or a form; by what is strange with them.
VALUES: Mapping[str, bytes] = {
    "nothing": b"",
    "an end of a string": b"a%00b",
    "no UTF-8": b"%ff%fe%80",
    "half a pair": b"%ed%a0%80",
    "another plane": b"%f0%9f%a9%bb%e2%80%ae",
    "a line of its own": b"x%0d%0aSet-Cookie:%20a=b",
    "a script": quote(SCRIPT).encode(),
    "another folder": b"..%2f..%2fetc%2fpasswd",
    "another's address": b"//elsewhere.example/%5c",
    "below nothing": b"-1",
    "more than any number": b"9" * 40,
    "as much as a number may be": b"9223372036854775807",
    "no number": b"NaN",
    "infinite": b"1e400",
    "digits of others": quote("٣²½").encode(),
    "no day": b"0000-13-45T99:99",
    "after all days": b"9999-12-31T23:59:59%2b23:59",
    "very long": b"%e2%82%ac" * 3000,
    "many": b"1&{name}=2&{name}[]=3&{name}=",
}
#: What databases and stores mind each in their own way.
MINDED = ("an end of a string", "no UTF-8", "half a pair", "as much as a number may be", "very long")
#: Parts of paths are names of things, and mostly looked up as such.
IN_PATHS = (*MINDED, "a script", "another folder", "below nothing", "digits of others")
#: Forms that are none, with their types.
BODIES: Sequence[tuple[str, bytes]] = (
    ("application/x-www-form-urlencoded", b""),
    ("application/x-www-form-urlencoded", b"&&=&=%&%zz=%&\xff\x00=\xfe"),
    ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(1500))),
    ("multipart/form-data", b"--b\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="email"'),
    ("multipart/form-data; boundary=" + "b" * 300, b"--b--"),
    ("application/json", b'{"email": ["\\ud800"]}'),
    ("text/plain; charset=no-such", b"\x00"),
    ("", b"x"),
)
#: What else has to be there, so that more than the first field is looked at.
MEANT = {
    "email": "new@x.example",
    "password": PASSWORD,
    "again": PASSWORD,
    "current": PASSWORD,
    "name": "Pat",
    "role": "viewer",
    "node": TENANT,
    "token_name": "t",
    "days": "7",
    "rights": "read",
    "nodes": TENANT,
    "priority": "0",
    "verdict": "rejected",
    "reason": "border",
    "comment": "x",
    "pipeline": "spleen",
    "limit": "10",
    "code": "123456",
    "stage": "spleen",
    "release": "sha256:" + "0" * 64,
    "above": "",
    "act": "promote",
    "percent": "10",
    "rules": '[[rule]]\nname = "r"\npipeline = "spleen"\nwhen = "Modality == \'CT\'"\n',
    "attributes": "Modality=CT",
    "channel": "mail",
    "ending": "close",
    "tenant": TENANT,
    "format": "csv",
}
#: Headers that something here reads, or a server before it.
HEADERS = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Content-Digest",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Forwarded",
    "Host",
    "HX-Request",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Origin",
    "Range",
    "Referer",
    "Sec-Fetch-Site",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
)
#: What stands in them.
HEADER_VALUES: Sequence[bytes] = (
    b"",
    b"\xff\xfe",
    b"a=b; language=\xff; bedside-session=%00; =; ;;",
    b"Bearer \xff",
    b"Bearer bsd_\xc3\xa9",
    b"Bearer ey.ey.\xff",
    b"Bearer " + b"a." * 3000,
    b"Basic !!!",
    b"bytes=-99999999999999999999",
    b"bytes=0-0,1-2",
    b"bytes=5-1",
    b"en;q=NaN,es;q=-1,;q=,*",
    b"//[::1",
    b"sha-256=:%%%:",
    b"9" * 30,
    b"application/json; charset=utf-99",
    "²".encode(),
    b'multipart/related; type="application/dicom"; boundary=',
)
