"""Downloading the files of data sets over HTTPS, with a check of every byte and a limit on the time."""
import http.client
import ssl
import tempfile
import time
from urllib import request

from npgan.datasets.finding import GROWTH, MARGIN, cache, missing, read, unpack
from npgan.files import DataError, replacing

TIMEOUT = 30                        # seconds without a byte
DEADLINE = 600                      # seconds for one file from one mirror, plus one for each SLOWEST bytes of it
SLOWEST = 40000                     # bytes a second; the University of Toronto's server sometimes sends 50000


def fetch(name, files, mirrors):
    """
    Download a file's .gz into the cache, from the first mirror that has the right one.

    Parameters
    ----------
    name : str
        One of `files`, or a tar archive of all of them.
    files : dict of str to (int, str)
        Size and MD5 sum, both uncompressed, of every file of the set.
    mirrors : sequence of str
        HTTPS addresses of folders with the .gz.

    Returns
    -------
    Path
        The downloaded file.

    Raises
    ------
    DataError
        If no mirror has it, with each mirror's answer and with the folders where the files may be put; or, before any
        download, if the cache cannot be written to.
    """
    wanted = files if name in files else [name]
    if cache() is None:
        raise missing(name, wanted, "no such file, and no folder to download it to: HOME and XDG_CACHE_HOME are unset")
    path = cache() / (name + ".gz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()         # only a trial shows whether it can be written to
    except OSError as error:
        raise DataError(path.parent, "a folder for downloads that can be written to", error.strerror,
                        "name another in XDG_CACHE_HOME, or one that holds the files in NPGAN_DATA_PATH") from error
    size = files[name][0] if name in files else sum(size for size, _ in files.values()) + MARGIN
    failures = []
    for mirror in mirrors:
        url = mirror + path.name
        try:
            with replacing(path) as stream:
                download(url, stream, limit=size + GROWTH)
                stream.flush()
                if name in files:
                    read(stream.name, *files[name])
                else:
                    unpack(stream.name, files)
            return path
        except DataError as error:
            failures.append(f"{url} gave {error.found}")
        except (OSError, ValueError, http.client.HTTPException) as error:       # ValueError: a malformed redirection
            failures.append(f"{url}: {error}")
    raise missing(name, wanted, "no such file, and no mirror that has it: " + "; ".join(failures))


def download(url, stream, limit):
    """Write the bytes at `url` to `stream`; raise an error for more than `limit` bytes, and for a slow mirror."""
    with open_url(url, DEADLINE + limit // SLOWEST) as response:
        while chunk := response.read1(2**16):                   # read1, unlike read, returns what has arrived
            stream.write(chunk)
            if stream.tell() > limit:
                raise DataError(url, f"at most {limit} bytes", "more", "try another mirror")


def open_url(url, seconds):
    """
    Return the response of `url`, an https address; receiving all of it may take so many `seconds` from now.

    Unlike urllib's own opener, this follows no redirection to plain http, and reads no body of a redirection.
    """
    end = time.monotonic() + seconds

    class Socket(ssl.SSLSocket):
        def recv_into(self, *arguments):                        # receives headers, redirections and bodies
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not all received within {seconds} s")
            self.settimeout(min(TIMEOUT, left))
            return super().recv_into(*arguments)

    class Redirection(request.HTTPRedirectHandler):
        def redirect_request(self, asked, response, *arguments):
            response.close()                                    # its body may be endless
            return super().redirect_request(asked, response, *arguments)

    context, opener = ssl.create_default_context(), request.OpenerDirector()
    context.sslsocket_class = Socket
    for handler in (request.ProxyHandler(), request.UnknownHandler(), request.HTTPSHandler(context=context),
                    Redirection(), request.HTTPErrorProcessor(), request.HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    return opener.open(url, timeout=TIMEOUT)
