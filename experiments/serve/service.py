"""What the routes share: the models, the queue in front of them, the settings, the metrics."""

from experiments.serve.decoder import Decoder
from experiments.serve.jobs import JobQueue
from experiments.serve.keys import ApiKeys
from experiments.serve.monitoring import Metrics
from experiments.serve.people import People
from experiments.serve.recognizer import Recognizer
from experiments.serve.settings import ServeSettings, check_settings


class Service:
    """Everything that one server process holds."""

    def __init__(self, settings: ServeSettings) -> None:
        """Open everything. Raises FacesError where settings, keys, weights or thresholds are missing or wrong."""
        check_settings(settings)
        self.settings = settings
        self.keys = ApiKeys(settings.api_key_file) if settings.api_key_file else None
        self.metrics = Metrics()
        self.decoder = Decoder(settings.max_pixels, settings.decode_seconds)
        self.recognizer = Recognizer(settings.network, self.decoder)
        self.people = People(self.recognizer, settings.gallery, settings.thumbnails) if settings.gallery else None
        self.jobs = JobQueue(settings.queue)
        self.decoder.start()

    @property
    def has_gallery(self) -> bool:
        """Whether people can be enrolled and identified."""
        return self.people is not None

    def close(self) -> None:
        """Finish what waits, and end the thread and the decoder's process."""
        self.jobs.close()
        self.decoder.close()
        if self.people is not None:
            self.people.store.close()
