block
block
expect 'Welcome, stranger.' 'Welcome back, ' 'A cap for ' 'has closed the club.' 'HTTP/1.1 204'
