"""Placeholder"""


class Phrases:
    def opener(self, t):
        return None

    def answers(self, t):
        return False

    def concludes(self, t):
        return False

    def talks(self, t):
        return False

    def doubts(self, t):
        return False

    def supposes(self, t):
        return False

    def plans(self, t):
        return False

    def retracts(self, t):
        return False

    def leans(self, t):
        return False


ENGLISH = Phrases()
