"""Asking publishers for things, with manners: limits, redirects, retries, resumption, and parts of a file.

What only `wardbook fetch` needs of the network is here; what is asked for, and where it goes, is in `fetch`. pooch gets
whole files (its temporary name, its move, its hash); httpx is what it gets them with, and what asks everything else, since
pooch neither resumes, nor waits its turn, nor reads a part of a file.
"""

from __future__ import annotations

import email.utils
import errno
import io
import json
import os
import stat
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from wardbook import catalogue
from wardbook.sources.reading import ZIP_TROUBLES

if TYPE_CHECKING:
    import httpx

_BUSY = (429, 500, 502, 503, 504)
_LARGEST_FILE = (
    1_000_000_000  # bytes a file may hold or unpack to; the largest one wanted, but for archives, has 25 million
)
_LARGEST_ARCHIVE = 5_000_000_000  # a monthly archive has 1.7 thousand million, where it cannot be read in part
_LARGEST_ANSWER = 200_000_000
_BLOCK = 1 << 18
_THIS_MACHINE = {("http", "127.0.0.1"), ("http", "localhost"), ("http", "::1")}


class FetchError(ValueError):
    """A file that could not be had, in words for its reader."""


class NotThere(FetchError):
    """An address that answers 404."""


class Unreachable(Exception):
    """No connection to a host."""


class Broken(Exception):
    """A body that ended early or came too slowly: worth another try."""


class Unchanged(Exception):
    """The publisher's file is still the one the ledger has."""


@dataclass(frozen=True)
class Manners:
    """How long to wait for whom; tests replace the clocks.

    `slowest` bytes a second over `patience` seconds is the least a transfer must do: a server that drips one byte every few
    seconds never trips a read timeout. `longest_wait` is the longest Retry-After that is waited for.
    """

    tries: int = 5
    connect_seconds: float = 8.0
    read_seconds: float = 20.0
    slowest: float = 500.0
    patience: float = 30.0
    longest_wait: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]


def silent(label: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
    """Progress that is shown to nobody."""
    return nullcontext(lambda count: None)


class Bucket:
    """A token bucket: `burst` requests at once, then `per_second`."""

    def __init__(self, per_second: float, burst: float, manners: Manners):
        self.rate, self.burst, self.manners = per_second, burst, manners
        self.tokens, self.at = burst, manners.monotonic()

    def take(self) -> None:
        """Wait until a request may be sent."""
        now = self.manners.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            self.manners.sleep((1 - self.tokens) / self.rate)
            self.at, self.tokens = self.manners.monotonic(), 1
        self.tokens -= 1


class Web:
    """Requests with their manners: limits, redirects, retries, resumption."""

    def __init__(self, mirror: str | None, manners: Manners, progress: Progress, parts: Path):
        import httpx

        self.mirror = mirror and mirror.rstrip("/")
        self.manners, self.progress, self.parts = manners, progress, parts
        self.buckets = {name: Bucket(manners=manners, **limit) for name, limit in catalogue.limits().items()}
        self.reached: set[str] = set()
        wait = httpx.Timeout(manners.read_seconds, connect=manners.connect_seconds)
        self.client = httpx.Client(timeout=wait, headers={"User-Agent": "wardbook", "Accept-Encoding": "identity"})

    def _address(self, url: str) -> str:
        """Where an address is really asked: at the mirror if there is one. Plain http is for this machine alone."""
        parts = urlsplit(url)
        if parts.scheme != "https" and (parts.scheme, parts.hostname) not in _THIS_MACHINE:
            raise FetchError(f"{url}: only https addresses are asked")
        if not self.mirror or url.startswith(self.mirror):
            return url
        return f"{self.mirror}/{url.split('://', 1)[1]}"

    def attempt(
        self,
        url: str,
        work: Callable[[httpx.Response], Any],
        *,
        headers: Callable[[], dict[str, str]] = dict,
        form: dict[str, str] | None = None,
        limit: str | None = None,
        accept: Sequence[int] = (200,),
    ) -> Any:
        """What `work` makes of the answer; busy servers and broken bodies are tried again, waiting longer each time."""
        import httpx

        problem, host = "", urlsplit(url).hostname
        for turn in range(self.manners.tries):
            wait = float(2**turn)
            try:
                response = self._open(url, headers(), form, limit)
                self.reached.add(host)
                try:
                    if response.status_code in accept:
                        return work(response)
                    problem = f"answered {response.status_code} {response.reason_phrase}".rstrip()
                    if response.status_code not in _BUSY:
                        raise (NotThere if response.status_code == 404 else FetchError)(f"{url} {problem}")
                    wait = self._asked_to_wait(response, url) or wait
                finally:
                    response.close()
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if host not in self.reached:
                    raise Unreachable(host) from error
                problem = "could not be reached"
            except (httpx.InvalidURL, httpx.DecodingError) as error:
                raise FetchError(f"{url}: {error}") from error
            except (httpx.TransportError, Broken) as error:
                problem = f"broke off ({error or type(error).__name__})"
            if turn + 1 < self.manners.tries:
                self.manners.sleep(wait)
        raise FetchError(f"{url} {problem}, {self.manners.tries} times running")

    def _open(self, url: str, headers: dict, form: dict | None, limit: str | None) -> httpx.Response:
        address = self._address(url)
        for _ in range(6):
            if limit:
                self.buckets[limit].take()
            request = self.client.build_request("POST" if form else "GET", address, headers=headers, data=form)
            response = self.client.send(request, stream=True)
            if response.status_code not in (301, 302, 303, 307, 308):
                return response
            response.close()
            onward = urljoin(address, response.headers.get("location", ""))
            if urlsplit(onward).scheme != "https" and urlsplit(address).scheme == "https":
                raise FetchError(f"{url} redirects to {onward}: only https addresses are followed")
            if response.status_code == 303:
                form = None
            address = self._address(onward)
        raise FetchError(f"{url} redirects without end")

    def _asked_to_wait(self, response: httpx.Response, url: str) -> float:
        asked = response.headers.get("retry-after", "").strip()
        if asked.isdecimal():
            seconds = float(asked)
        else:
            try:
                seconds = (email.utils.parsedate_to_datetime(asked) - self.manners.now()).total_seconds()
            except (TypeError, ValueError):
                return 0.0
        if seconds > self.manners.longest_wait:
            raise FetchError(f"{url} asks to wait {seconds:,.0f} seconds: run the command again later")
        return max(seconds, 0.0)

    def chunks(
        self, response: httpx.Response, label: str, at: int = 0, most: int = _LARGEST_ARCHIVE
    ) -> Iterator[bytes]:
        """The body, held to `most` bytes and to a least speed (httpx holds it to its length); without a label, not shown."""
        length = response.headers.get("content-length", "")
        wanted = int(length) if length.isdecimal() and "content-encoding" not in response.headers else None
        began, got = self.manners.monotonic(), 0
        show = self.progress if label else silent
        with show(label, None if wanted is None else at + wanted) as advance:
            advance(at)
            for chunk in response.iter_bytes():
                got += len(chunk)
                advance(len(chunk))
                if at + got > most:
                    raise FetchError(f"{response.url}: more than {most:,} bytes: not what was asked for")
                seconds = self.manners.monotonic() - began
                if seconds > self.manners.patience and got < self.manners.slowest * seconds:
                    raise Broken(f"{got:,} bytes in {seconds:.0f} s")
                yield chunk

    def json(self, url: str, *, label: str, form: dict | None = None, limit: str | None = None) -> Any:
        """A JSON answer; an error page with status 200 is told apart."""

        def read(response: httpx.Response) -> bytes:
            return b"".join(self.chunks(response, label, most=_LARGEST_ANSWER))

        body = self.attempt(url, read, form=form, limit=limit)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            page = body.lstrip()[:20].lower().startswith((b"<!doctype", b"<html"))
            found = "a web page (an error page saved as data?)" if page else f"{len(body):,} bytes of something else"
            raise FetchError(f"{url}: expected a JSON document; found {found}") from None

    def download(self, url: str, staged: Path, *, etag: str = "", limit: str | None = None) -> str:
        """Get a whole file, going on where an earlier try was cut off, and return its ETag.

        A part is only added to if the server says that the file is still the same one (If-Range); else it begins again.
        """
        import pooch

        pooch.get_logger().setLevel("WARNING")  # the command line says what was fetched
        self.parts.mkdir(parents=True, exist_ok=True)
        part = self.parts / sha256(url.encode()).hexdigest()[:16]
        mark = part.with_suffix(".etag")
        seen: dict[str, str] = {}

        def headers() -> dict[str, str]:
            size, known = part.stat().st_size if part.exists() else 0, mark.read_text() if mark.exists() else ""
            if size and known:
                return {"Range": f"bytes={size}-", "If-Range": known}
            return {"If-None-Match": etag} if etag else {}

        def write(response: httpx.Response) -> None:
            seen["etag"] = response.headers.get("etag", "")
            if response.status_code == 304:
                raise Unchanged
            at = part.stat().st_size if response.status_code == 206 else 0
            if response.status_code == 416 or not response.headers.get("content-range", f"bytes {at}-").startswith(
                f"bytes {at}-"
            ):
                part.unlink()
                raise Broken("the server has another file by now")
            strong = seen["etag"] if not seen["etag"].startswith("W/") else ""
            if not at:
                part.unlink(missing_ok=True)  # before the mark: an old part under a new mark would be added to
            mark.write_text(strong or response.headers.get("last-modified", ""))
            with part.open("ab" if at else "wb") as handle:
                for chunk in self.chunks(response, staged.name, at):
                    handle.write(chunk)
                    handle.flush()

        def downloader(_: str, output: str, __: object) -> None:
            self.attempt(url, write, headers=headers, limit=limit, accept=(200, 206, 304, 416))
            os.replace(part, output)  # noqa: PTH105 - pooch's temporary name is text
            mark.unlink(missing_ok=True)

        pooch.retrieve(url, known_hash=None, fname=staged.name, path=staged.parent, downloader=downloader)
        return seen.get("etag", "")


class RemoteFile(io.RawIOBase):
    """A file on a server, read where it is needed by HTTP Range: a 1.7 GB archive costs its directory and one member."""

    def __init__(self, web: Web, url: str, limit: str | None):
        self.web, self.url, self.limit, self.position = web, url, limit, 0
        self.validator = ""
        self.size = web.attempt(url, self._measure, headers=lambda: {"Range": "bytes=0-0"}, accept=(200, 206))

    def _measure(self, response: httpx.Response) -> int:
        total = response.headers.get("content-range", "").rpartition("/")[2]
        if response.status_code != 206 or not total.isdecimal():
            raise io.UnsupportedOperation("the server sends whole files only")
        etag = response.headers.get("etag", "")
        self.validator = etag if etag and not etag.startswith("W/") else response.headers.get("last-modified", "")
        return int(total)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = max(0, offset + (0, self.position, self.size)[whence])
        return self.position

    def readinto(self, buffer: Any) -> int:
        last = min(self.position + len(buffer), self.size) - 1
        if last < self.position:
            return 0
        at, wanted = self.position, last + 1 - self.position

        def part(response: httpx.Response) -> bytes:
            if response.status_code != 206 or not response.headers.get("content-range", "").startswith(f"bytes {at}-"):
                raise FetchError(f"{self.url} changed while it was read: run the command again")
            return b"".join(self.web.chunks(response, "", most=wanted))

        asked = {"Range": f"bytes={at}-{last}"} | ({"If-Range": self.validator} if self.validator else {})
        got = self.web.attempt(self.url, part, headers=lambda: asked, limit=self.limit, accept=(200, 206))
        buffer[: len(got)] = got
        self.position += len(got)
        return len(got)


def open_zip(web: Web, url: str, whole: Path, *, limit: str | None = None) -> zipfile.ZipFile:
    """A remote zip: read in parts, or downloaded to `whole` from a server that sends whole files only."""
    try:
        try:
            return zipfile.ZipFile(io.BufferedReader(RemoteFile(web, url, limit), _BLOCK))
        except io.UnsupportedOperation:
            web.download(url, whole, limit=limit)
            return zipfile.ZipFile(whole)
    except zipfile.BadZipFile as error:
        raise FetchError(f"{url}: expected a zip archive; found something else ({error})") from error


def copy_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, staged: Path, progress: Progress) -> None:
    """One member to a place of the caller's choosing.

    Its name is not used, yet a name that points out of its folder, a link, or a size that does not hold says that the
    archive is not what it should be: refused.
    """
    path, mode = PurePosixPath(info.filename), info.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename or stat.S_ISLNK(mode):
        raise FetchError(f"{info.filename!r} in the archive is a link or points out of its folder: refused")
    if info.file_size > _LARGEST_FILE or info.flag_bits & 1:
        raise FetchError(
            f"{info.filename!r} in the archive is encrypted, or unpacks to {info.file_size:,} bytes: refused"
        )
    staged.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    try:
        with (
            archive.open(info) as source,
            staged.open("wb") as target,
            progress(staged.name, info.file_size) as advance,
        ):
            while chunk := source.read(_BLOCK):
                size += len(chunk)
                if size > info.file_size:
                    raise FetchError(
                        f"{info.filename!r} unpacks to more than the {info.file_size:,} bytes it announces"
                    )
                target.write(chunk)
                advance(len(chunk))
    except FetchError:
        raise
    except ZIP_TROUBLES as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # the disk's trouble, not the archive's
            raise
        raise FetchError(f"{info.filename!r} in the archive cannot be unpacked: {error}") from error
