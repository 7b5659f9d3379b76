"""A registrar that asks for a digest and prints each REGISTER that has one.

python tests/peer/one_registrar.py ADDRESS PORT
"""

import re
import socket
import sys


def main() -> None:
    """Answer until ended."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((sys.argv[1], int(sys.argv[2])))
        while True:
            data, source = sock.recvfrom(65535)
            text = data.decode(errors="replace")
            if not text.startswith("REGISTER "):
                continue
            copied = [
                line
                for line in text.split("\r\n")
                if re.match(r"(Via|From|To|Call-ID|CSeq|Contact|Expires):", line)
            ]
            if "\r\nAuthorization:" in text:
                print(
                    next(line for line in text.split("\r\n") if line.startswith("Authorization:")), flush=True
                )
                start = ["SIP/2.0 200 OK"]
            else:
                challenge = 'WWW-Authenticate: Digest realm="lab", nonce="n0nce", algorithm=MD5'
                start = ["SIP/2.0 401 Unauthorized", challenge]
            answer = "\r\n".join([*start, *copied, "Content-Length: 0", "", ""])
            sock.sendto(answer.encode(), source)


if __name__ == "__main__":
    main()
