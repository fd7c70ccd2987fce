import { render } from 'preact'
import { SellerPage } from './seller-page.js'

const root = document.getElementById('page')
if (root) render(<SellerPage />, root)
