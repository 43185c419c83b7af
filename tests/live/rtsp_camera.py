"""An RTSP camera for tests, a program of its own (GStreamer's server; run by the system's Python, which has its bindings).

    python3 rtsp_camera.py VIDEO PORT [USER PASSWORD]

Sends the H.264 of VIDEO at its own pace under /stream, to each client from its start. Reads commands from standard input:
"freeze" keeps every connection but sends nothing any more, "thaw" goes on. Says "ready" when it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)


class Camera(GstRtspServer.RTSPMediaFactory):
    """Plays the file to each client from its start."""

    def __init__(self, video) -> None:
        super().__init__()
        self.frozen = False
        self.set_launch(
            f'( filesrc location="{video}" ! qtdemux ! identity name=valve sync=true ! '
            "rtph264pay config-interval=-1 name=pay0 pt=96 )"
        )
        self.set_shared(False)

    def do_configure(self, media):
        valve = media.get_element().get_by_name("valve")
        valve.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self._gate)
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)

    def _gate(self, _pad, _info):
        return Gst.PadProbeReturn.DROP if self.frozen else Gst.PadProbeReturn.OK


def main():
    video, port, *credentials = sys.argv[1:]
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    camera = Camera(video)
    if credentials:
        user, password = credentials
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        auth.add_digest(user, password, token)
        auth.set_supported_methods(2)  # digest, as cameras do
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        camera.set_permissions(permissions)
    server.get_mount_points().add_factory("/stream", camera)
    server.attach(None)
    loop = GLib.MainLoop()

    def command(source, _condition):
        line = source.readline().strip()
        camera.frozen = {"freeze": True, "thaw": False}.get(line, camera.frozen)
        if not line:
            loop.quit()
        return bool(line)

    GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, command)
    print("ready", flush=True)
    loop.run()


main()
