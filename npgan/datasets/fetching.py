"""Fetching the files of data sets over HTTPS: nothing that a mirror sends is trusted, nor waited for for ever."""
import http.client
import ssl
import tempfile
import time
from urllib import request

from npgan.datasets.finding import GROWTH, MARGIN, cache, missing, read, unpack
from npgan.files import DataError, replacing

TIMEOUT = 30                        # seconds without a byte
DEADLINE = 600                      # seconds for one file from one mirror, and one more for each SLOWEST bytes of it
SLOWEST = 40000                     # the University of Toronto's server has been seen at 50000


def fetch(name, files, mirrors):
    """
    Bring a file's .gz into the cache from the first mirror that has the right one.

    Parameters
    ----------
    name : str
        The wanted one of `files`, or a tar archive that holds them all.
    files : dict of str to (int, str)
        Size and MD5 sum, both uncompressed, of every file of the set.
    mirrors : sequence of str
        HTTPS addresses of folders that hold the .gz.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If no mirror gave it: what each of them said, and which files to put where.  If nothing can be written into the
        cache: no mirror is asked.
    """
    path = cache() / (name + ".gz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()         # which only trying shows
    except OSError as error:
        raise DataError(path.parent, "a folder that what is fetched can be written to", error.strerror,
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
        except (OSError, ValueError, http.client.HTTPException) as error:       # ValueError: redirected to no address
            failures.append(f"{url}: {error}")
    raise missing(name, files if name in files else [name],
                  "no such file, and no mirror that has it: " + "; ".join(failures))


def download(url, stream, limit):
    """Write to `stream` what is at `url`; an error for more than `limit` bytes, or for a mirror that drips."""
    with open_url(url, DEADLINE + limit // SLOWEST) as response:
        while chunk := response.read1(2**16):                   # read1, unlike read, does not wait for all of them
            stream.write(chunk)
            if stream.tell() > limit:
                raise DataError(url, f"at most {limit} bytes", "more", "try another mirror")


def open_url(url, seconds):
    """
    The response of `url`, an https address, with all of it to be received within so many `seconds` from now.

    Unlike urllib's own opener it follows no redirection to plain http, and reads nothing of a redirection's body.
    """
    end = time.monotonic() + seconds

    class Socket(ssl.SSLSocket):
        def recv_into(self, *arguments):                        # headers, redirections and bodies all come through it
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
