"""Stand-ins, clients and builders that tests of every level stand on. No test lives here."""
